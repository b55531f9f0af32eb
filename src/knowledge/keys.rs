//! What AWS services ask of a KMS key, with the permissions of whoever calls them.

/// What EC2 asks for an encrypted volume, with the permissions of who launches the instance ("Instances launched but immediately terminated"
/// of Karpenter's troubleshooting page; "How Amazon EBS encryption works" of the EBS User Guide).
pub const VOLUME_KEY_ACTIONS: [&str; 4] = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"];

/// What EKS asks for the encryption of a cluster's secrets, with the permissions of who creates the cluster ("Encrypt Kubernetes secrets with
/// KMS" of the EKS User Guide).
pub const SECRETS_KEY_ACTIONS: [&str; 2] = ["kms:CreateGrant", "kms:DescribeKey"];
