//! Why the API server does not take an object, in whoever's words it comes: a policy's, a webhook's or its own.

/// An objection to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objection<'t> {
    /// A `ValidatingAdmissionPolicy` says no.
    Policy {
        /// Its name.
        policy: &'t str,
        /// The name of the binding by which it is asked.
        binding: &'t str,
    },
    /// A webhook says no.
    Webhook(&'t str),
    /// The Pod Security level that the namespace's label `enforce` asks for, such as `restricted`.
    PodSecurity(&'t str),
    /// What a `ResourceQuota` or a `LimitRange` of the namespace leaves is less than that.
    Limits,
    /// A webhook that cannot be asked without something being written.
    NoDryRun(&'t str),
    /// Whoever asked may not write it: nobody else was asked.
    Rights,
    /// Any other: nothing that a policy says.
    Other,
}

impl<'t> Objection<'t> {
    /// The objection in what the API server answered. The words are those of k8s.io/apiserver (`plugin/webhook/errors`,
    /// `plugin/policy/validating`), k8s.io/pod-security-admission and the plugins `ResourceQuota` and `LimitRanger`.
    #[must_use]
    pub fn read(text: &'t str) -> Self {
        let quoted = |before: &str, mark: char| text.split_once(before)?.1.strip_prefix(mark)?.split(mark).next();
        if let (Some(policy), Some(binding)) = (quoted("ValidatingAdmissionPolicy ", '\''), quoted("' with binding ", '\''))
            && text.contains(" denied request")
        {
            return Self::Policy { policy, binding };
        }
        if let Some(webhook) = quoted("admission webhook ", '"') {
            if text.contains(" does not support dry run") {
                return Self::NoDryRun(webhook);
            }
            if text.contains(" denied the request") {
                return Self::Webhook(webhook);
            }
        }
        if let Some(level) = quoted("violates PodSecurity ", '"') {
            return Self::PodSecurity(level.split(':').next().unwrap_or(level));
        }
        if ["exceeded quota: ", "failed quota: ", " usage per "].iter().any(|words| text.contains(words)) {
            return Self::Limits;
        }
        if text.contains("User \"") && text.contains(" cannot ") { Self::Rights } else { Self::Other }
    }
}

/// Whether an objection is to the digest of an image, or to what is signed by it: Kyverno's `verifyImages`, a pattern that wants `@sha256:`.
#[must_use]
pub fn is_about_digest(text: &str) -> bool {
    let text = text.to_lowercase();
    ["digest", "sha256", "signature", "attestation", "manifest", "verify", "verification"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::Objection::{self, Limits, NoDryRun, Other, PodSecurity, Policy, Rights, Webhook};

    #[test]
    fn objections_are_told_apart_by_the_words_of_those_who_make_them() {
        let policy =
            "deployments.apps \"karpenter\" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'few-here' denied request: no";
        assert_eq!(Objection::read(policy), Policy { policy: "few", binding: "few-here" });
        let webhook = "admission webhook \"validation.gatekeeper.sh\" denied the request: [must-have-owner] no label \"owner\"";
        assert_eq!(Objection::read(webhook), Webhook("validation.gatekeeper.sh"));
        assert_eq!(Objection::read("admission webhook \"a.b\" does not support dry run"), NoDryRun("a.b"));
        let level = "pods \"k\" is forbidden: violates PodSecurity \"baseline:v1.34\": host namespaces (hostNetwork=true)";
        assert_eq!(Objection::read(level), PodSecurity("baseline"));
        let quota = "pods \"k\" is forbidden: exceeded quota: few, requested: cpu=1, used: cpu=0, limited: cpu=500m";
        assert_eq!(Objection::read(quota), Limits);
        assert_eq!(Objection::read("pods \"k\" is forbidden: maximum cpu usage per Container is 100m, but limit is 1"), Limits);
        let rights = "deployments.apps \"karpenter\" is forbidden: User \"me\" cannot patch resource \"deployments\" in API group \"apps\"";
        assert_eq!(Objection::read(rights), Rights);
        assert_eq!(Objection::read("NodePool.karpenter.sh \"default\" is invalid: spec: Required value"), Other);
    }
}
