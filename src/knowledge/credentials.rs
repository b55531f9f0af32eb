//! By which words a service account of EKS gets AWS credentials: IRSA, and EKS Pod Identity.

/// The annotation by which IRSA gives a service account its role.
pub const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
/// Who the tokens of service accounts are for, with IRSA.
pub const STS_AUDIENCE: &str = "sts.amazonaws.com";
/// What IRSA calls.
pub const WEB_IDENTITY_ACTION: &str = "sts:AssumeRoleWithWebIdentity";
/// Who takes a role for a service account, with Pod Identity.
pub const POD_IDENTITY_SERVICE: &str = "pods.eks.amazonaws.com";
/// What that service calls: without the second it is refused.
pub const POD_IDENTITY_ACTIONS: [&str; 2] = ["sts:AssumeRole", "sts:TagSession"];

/// The subject of a service account's token.
#[must_use]
pub fn token_subject(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}
