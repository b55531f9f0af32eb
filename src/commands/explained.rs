//! What `karpctl explain` says beside steps and checks: kinds of errors, and what the controller may do and why. What whoever runs
//! karpctl may do is in `explained_operator`.

use crate::error::ErrorKind;
use crate::knowledge::{Release, Statement, action_reasons};
use std::fmt::Write as _;

/// The kinds of errors, as they stand in `kind` of an error in JSON.
const KINDS: [(ErrorKind, &str); 11] = [
    (
        ErrorKind::Usage,
        "The command line, an environment variable or the spec file is not valid. Nothing was asked of AWS and nothing was changed. \
         The message names the place; `karpctl COMMAND --help` and `karpctl generate schema` say what is taken. Exit code 2.",
    ),
    (
        ErrorKind::Refused,
        "Something is there that karpctl did not make, or versions do not fit together, or the credentials are of another account. \
         Nothing was changed. The hints say how to take a thing over (`--adopt`), to work with a cluster as it is \
         (`--existing-cluster`), or which version fits (`karpctl versions`). Exit code 4.",
    ),
    (
        ErrorKind::Credentials,
        "There are no AWS credentials, or they have expired, or AWS does not know them. `aws sts get-caller-identity` shows whose are in \
         use, `aws sso login` renews those of IAM Identity Center, and `--profile` takes others. Exit code 1.",
    ),
    (
        ErrorKind::Denied,
        "AWS or Kubernetes knows the caller and does not let it do this. The message names the call, and with it the action that a policy \
         must allow. What was done before is kept: with the permission the same command goes on. Exit code 1.",
    ),
    (
        ErrorKind::Unreachable,
        "AWS or the cluster could not be reached, or went on answering with throttling and server errors after several tries. Look at \
         HTTPS_PROXY and NO_PROXY, at the region, and whether the cluster's endpoint is public. The same command goes on from there. Exit code 1.",
    ),
    (
        ErrorKind::NotFound,
        "What was asked for is not there: a cluster, a role, a profile. The name, the region and the account in the message say where it \
         was looked for. Exit code 1.",
    ),
    (
        ErrorKind::Conflict,
        "It exists already, or somebody else changed it in between, or another operation on it is still running. Running the same command \
         again looks anew and goes on. Exit code 1.",
    ),
    (
        ErrorKind::Tool,
        "helm or eksctl is missing, too old, or failed. The causes carry what the tool said; `karpctl versions` shows which fit, and \
         `--helm` and `--eksctl` take others. Exit code 1.",
    ),
    (
        ErrorKind::Timeout,
        "Something did not happen in the time given by `--timeout`. Often it still does: the same command looks again and goes on waiting. \
         The causes say what was seen last. Exit code 1.",
    ),
    (
        ErrorKind::Interrupted,
        "Ctrl-C, or the end of the terminal or the job. What was under way in AWS goes on by itself; the same command finds it and goes on. \
         Exit code 130 for SIGINT, 143 for SIGTERM.",
    ),
    (
        ErrorKind::Failed,
        "AWS, Kubernetes or this machine answered something that a step cannot go on from. The causes carry the answer. What is done is kept, \
         and the same command goes on from there. Exit code 1.",
    ),
];

/// The kinds of errors: their name and what they mean.
pub(super) fn errors() -> impl Iterator<Item = (String, String)> {
    KINDS.iter().map(|(kind, text)| {
        let name = serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        (name, (*text).to_owned())
    })
}

/// What the controller of the newest release may do: by action, and by the id of the statement that grants it.
pub(super) fn permissions() -> Vec<(String, String)> {
    let newest = Release::newest();
    let statements: Vec<Statement> = newest.stack().policies.into_iter().flat_map(|p| p.statements).collect();
    let mut texts = Vec::new();
    for reason in action_reasons() {
        let mut text = format!("Why Karpenter's controller may call {}:\n{}\n", reason.action, reason.why);
        let granted: Vec<&Statement> = statements.iter().filter(|s| s.actions.contains(&reason.action)).collect();
        if granted.is_empty() {
            let _ = writeln!(text, "\nThe stack of Karpenter {newest} does not grant it; those of older releases do.");
        }
        for statement in granted {
            let _ = write!(text, "\n{}", limits(statement));
        }
        let _ = write!(text, "\nSource: {}", reason.source);
        texts.push((reason.action.clone(), text));
    }
    for statement in &statements {
        let mut text = format!("The controller of Karpenter {newest} may, by the statement {}:\n", statement.sid);
        for action in &statement.actions {
            let why = action_reasons().iter().find(|r| r.action == *action).map_or("", |r| r.why.as_str());
            let _ = writeln!(text, "\n  {action}\n    {why}");
        }
        let _ = write!(text, "\n{}", limits(statement));
        texts.push((statement.sid.clone(), text));
    }
    texts
}

/// On what a statement allows it, and when.
fn limits(statement: &Statement) -> String {
    let mut text = format!("Statement {}, on:\n", statement.sid);
    for resource in &statement.resources {
        let _ = writeln!(text, "  {resource}");
    }
    if !statement.conditions.is_empty() {
        text.push_str("only where:\n");
    }
    for condition in &statement.conditions {
        let _ = writeln!(text, "  {} {} {}", condition.key, condition.operator, condition.values.join(" or "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_of_error_is_explained() {
        let names: BTreeSet<String> = errors().map(|(name, _)| name).collect();
        assert_eq!(names.len(), KINDS.len(), "{names:?}");
        // A kind that is added does not compile here until it is explained.
        for (kind, text) in KINDS {
            let exit = crate::error::Error::new(kind, "").exit().code();
            assert!(text.contains(&format!("xit code {exit}")), "{kind:?} ends with {exit}: {text}");
            match kind {
                ErrorKind::Usage
                | ErrorKind::Refused
                | ErrorKind::Credentials
                | ErrorKind::Denied
                | ErrorKind::Unreachable
                | ErrorKind::NotFound
                | ErrorKind::Conflict
                | ErrorKind::Tool
                | ErrorKind::Timeout
                | ErrorKind::Interrupted
                | ErrorKind::Failed => {}
            }
        }
    }

    #[test]
    fn pass_role_is_explained_with_its_limits() {
        let texts = permissions();
        let text = |id: &str| texts.iter().find(|(known, _)| known == id).map(|(_, text)| text.as_str()).unwrap_or_default();
        assert!(
            text("iam:PassRole").contains("node role") && text("iam:PassRole").contains("Statement PassNodeRole"),
            "{}",
            text("iam:PassRole")
        );
        assert!(text("iam:PassRole").contains("iam:PassedToService"), "{}", text("iam:PassRole"));
        assert!(text("PassNodeRole").contains("iam:PassRole"), "{}", text("PassNodeRole"));
        assert!(text("sqs:GetQueueAttributes").contains("older releases"), "{}", text("sqs:GetQueueAttributes"));
    }
}
