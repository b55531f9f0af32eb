//! What a refusal of IAM says, in whoever's words it comes: a service's own, CloudFormation's or eksctl's.

/// A refusal: what may not be done, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IamRefusal<'t> {
    /// The action, such as `iam:CreateRole`.
    pub action: &'t str,
    /// The resource: an ARN, or what IAM calls it.
    pub resource: &'t str,
    /// Whether some policy says no, instead of none saying yes.
    pub explicit: bool,
}

impl<'t> IamRefusal<'t> {
    /// The refusal in a text, where it is in IAM's own words.
    #[must_use]
    pub fn read(text: &'t str) -> Option<Self> {
        let action = between(text, "not authorized to perform: ", &[" ", ",", "\n"])?;
        // IAM names some resources in two words: "role demo". Not every service says one.
        let resource = between(text, "on resource: ", &[" because", " with ", ",", "\n"]).unwrap_or("*");
        Some(Self { action, resource, explicit: is_explicit(text) })
    }

    /// The same of a text whose words are not IAM's own: what was asked stands for what it does not name.
    #[must_use]
    pub fn of_call(text: &'t str, action: &'t str, resource: &'t str) -> Self {
        Self {
            action: between(text, "not authorized to perform: ", &[" ", ","]).unwrap_or(action),
            resource: between(text, "on resource: ", &[" because", " with ", ","]).unwrap_or(resource),
            explicit: is_explicit(text),
        }
    }

    /// What helps.
    #[must_use]
    pub fn help(&self) -> String {
        let Self { action, resource, explicit } = self;
        if !explicit {
            return format!(
                "allow `{action}` on `{resource}`; `karpctl render operator-policy` prints a policy with all that karpctl, eksctl and \
                 their stacks call"
            );
        }
        let who = format!(
            "a policy denies `{action}` on `{resource}` explicitly; only who wrote it (for an SCP: the organization) can change that"
        );
        if self.creates() {
            return format!(
                "{who}. Where it asks for a tag or a permissions boundary on what is created, `--tag KEY=VALUE` and \
                 `--permissions-boundary ARN` give them"
            );
        }
        who
    }

    /// Whether something comes to be by the action, on which a policy may ask for tags or a boundary.
    fn creates(&self) -> bool {
        let verb = self.action.split(':').nth(1).unwrap_or_default();
        ["Create", "Put", "Run", "Allocate", "Tag"].iter().any(|creating| verb.starts_with(creating))
    }
}

fn is_explicit(text: &str) -> bool {
    text.contains("explicit deny") || text.contains("service control policy")
}

fn between<'t>(text: &'t str, after: &str, until: &[&str]) -> Option<&'t str> {
    let rest = text.split_once(after)?.1;
    let end = until.iter().filter_map(|u| rest.find(u)).min().unwrap_or(rest.len());
    let found = rest[..end].trim_end_matches('.').trim_matches('"');
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::IamRefusal;

    #[test]
    fn a_refusal_is_found_in_what_cloudformation_and_eksctl_print() {
        let by_handler = "CREATE_FAILED VPC (AWS::EC2::VPC): Resource handler returned message: \"User: arn:aws:iam::111122223333:user/dev is \
                          not authorized to perform: ec2:CreateVpc on resource: arn:aws:ec2:us-west-2:111122223333:vpc/* because no \
                          identity-based policy allows the ec2:CreateVpc action\" (HandlerErrorCode: AccessDenied)";
        let refusal = IamRefusal::read(by_handler).unwrap();
        assert_eq!((refusal.action, refusal.explicit), ("ec2:CreateVpc", false));
        assert_eq!(refusal.resource, "arn:aws:ec2:us-west-2:111122223333:vpc/*");
        assert!(refusal.help().starts_with("allow `ec2:CreateVpc` on `arn:aws:ec2:us-west-2:111122223333:vpc/*`"), "{}", refusal.help());
        assert_eq!(IamRefusal::read("the stack is ROLLBACK_COMPLETE"), None);
        let by_eksctl =
            "api error AccessDenied: User: dev is not authorized to perform: cloudformation:CreateStack\nto clean up, run eksctl";
        assert!(IamRefusal::read(by_eksctl).unwrap().help().starts_with("allow `cloudformation:CreateStack` on `*`"));
    }

    #[test]
    fn a_creation_that_a_policy_denies_hints_at_tags_and_boundary() {
        let text = |action: &str| {
            format!(
                "User: dev is not authorized to perform: {action} on resource: role demo with an explicit deny in an identity-based policy"
            )
        };
        let help = |action: &str| IamRefusal::read(&text(action)).unwrap().help();
        for flag in ["`--tag KEY=VALUE`", "`--permissions-boundary ARN`", "`iam:CreateRole` on `role demo` explicitly"] {
            assert!(help("iam:CreateRole").contains(flag), "{}", help("iam:CreateRole"));
        }
        assert!(!help("iam:GetRole").contains("--tag"), "{}", help("iam:GetRole"));
    }
}
