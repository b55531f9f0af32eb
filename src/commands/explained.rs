//! What `karpctl explain` says beside steps and checks: kinds of errors, and what the controller may do and why. What whoever runs
//! karpctl may do is in `explained_operator`.

use crate::error::ErrorKind;
use crate::knowledge::{ActionReason, Features, Release, Statement, action_reasons};
use crate::wording;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What a kind of error means.
const fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Usage => {
            "The command line, an environment variable or the spec file is not valid. Nothing was asked of AWS and nothing was changed. \
             The message names the place; `karpctl COMMAND --help` and `karpctl generate schema` say what is taken. Exit code 2."
        }
        ErrorKind::Refused => {
            "Something is there that karpctl did not make, or versions do not fit together, or the credentials are of another account. \
             Nothing was changed. The hints say how to take a thing over (`--adopt`), to work with a cluster as it is \
             (`--existing-cluster`), or which version fits (`karpctl versions`). Exit code 4; 1 where the run had changed something else before."
        }
        ErrorKind::Credentials => {
            "There are no AWS credentials, or they have expired, or AWS does not know them: `cannot find out who you are in AWS`, `there are no AWS \
             credentials`. `aws sts get-caller-identity` shows whose are in \
             use, `aws sso login` renews those of IAM Identity Center, and `--profile` takes others. Exit code 1."
        }
        ErrorKind::Denied => {
            "AWS or Kubernetes knows the caller and does not let it do this. The message names the call, and with it the action that a policy \
             must allow. What was done before is kept: with the permission the same command goes on. Exit code 1."
        }
        ErrorKind::Unreachable => {
            "AWS or the cluster could not be reached, or went on answering with throttling and server errors after several tries. Look at \
             HTTPS_PROXY and NO_PROXY, at the region, and whether the cluster's endpoint is public. The same command goes on from there. Exit code 1."
        }
        ErrorKind::NotFound => {
            "What was asked for is not there: a cluster, a role, a profile. The name, the region and the account in the message say where it \
             was looked for. Exit code 1."
        }
        ErrorKind::Conflict => {
            "It exists already, or somebody else changed it in between, or another operation on it is still running. Running the same command \
             again looks anew and goes on. Exit code 1."
        }
        ErrorKind::Tool => {
            "helm or eksctl is missing, too old, or failed. The causes carry what the tool said; `karpctl versions` shows which fit, and \
             `--helm` and `--eksctl` take others. Exit code 1."
        }
        ErrorKind::Timeout => {
            "Something did not happen in the time given by `--timeout`. Often it still does: the same command looks again and goes on waiting. \
             The causes say what was seen last. Exit code 1."
        }
        ErrorKind::Interrupted => {
            "Ctrl-C, or the end of the terminal or the job. What was under way in AWS goes on by itself; the same command finds it and goes on. \
             Exit code 130 for SIGINT, 143 for SIGTERM."
        }
        ErrorKind::Failed => {
            "AWS, Kubernetes or this machine answered something that a step cannot go on from. The causes carry the answer. What is done is kept, \
             and the same command goes on from there. Exit code 1."
        }
    }
}

/// The kinds of errors, as they stand in `kind` of an error in JSON, and what they mean.
pub(super) fn errors() -> impl Iterator<Item = (String, String)> {
    ErrorKind::ALL.into_iter().map(|kind| (name_of(kind), meaning(kind).to_owned()))
}

/// A kind as it stands in `kind` of an error in JSON.
pub(super) fn name_of(kind: ErrorKind) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The statements of the controller's policies, release by release, the newest first.
type Stacks = Vec<(Release, Vec<Statement>)>;

fn stacks() -> Stacks {
    let releases = Release::all().into_iter().rev();
    releases.map(|r| (r.clone(), r.stack().policies.into_iter().flat_map(|p| p.statements).collect())).collect()
}

/// What the stack of any release lets somebody do: by action, and by the id of the statement that grants it. What releases have changed is
/// told as the newest with it has it.
pub(super) fn permissions() -> Vec<(String, String)> {
    let stacks = stacks();
    let mut texts: Vec<(String, String)> = action_reasons().iter().map(|reason| (reason.action.clone(), action(&stacks, reason))).collect();
    let mut told = BTreeSet::new();
    for (release, statements) in &stacks {
        for granted in statements.iter().filter(|s| told.insert(s.sid.clone())) {
            texts.push((granted.sid.clone(), statement(&stacks, release, granted)));
        }
    }
    // Whoever has the official template before them asks by its names. One of old releases is two statements here.
    let mut told = BTreeSet::new();
    for (release, statements) in &stacks {
        for (granted, name) in statements.iter().flat_map(|s| s.official.iter().map(move |name| (s, name))) {
            if told.insert((name, &granted.sid)) {
                texts.push((name.clone(), statement(&stacks, release, granted)));
            }
        }
    }
    texts.extend(others());
    texts
}

fn action(stacks: &Stacks, reason: &ActionReason) -> String {
    let grants = |statements: &[Statement]| statements.iter().any(|s| s.actions.contains(&reason.action));
    let newest = Release::newest();
    let mut text = format!("Why Karpenter's controller may call {}:\n{}\n", reason.action, reason.why);
    if let Some((last, statements)) = stacks.iter().find(|(_, statements)| grants(statements)) {
        if *last != newest {
            let span = span(stacks.iter().map(|(release, statements)| (release, grants(statements))));
            let _ = writeln!(text, "\nThe stack of Karpenter {newest} does not grant it, those of {span} do.");
        }
        for statement in statements.iter().filter(|s| s.actions.contains(&reason.action)) {
            let _ = write!(text, "\n{}", limits(statement));
        }
    }
    let _ = write!(text, "\nSource: {}", reason.source);
    text
}

fn statement(stacks: &Stacks, release: &Release, statement: &Statement) -> String {
    let mut text = format!("The controller of Karpenter {release} may, by the statement {}:\n", statement.sid);
    for action in &statement.actions {
        let why = action_reasons().iter().find(|r| r.action == *action).map_or("", |r| r.why.as_str());
        let _ = writeln!(text, "\n  {action}\n    {why}");
    }
    let has = |statements: &[Statement]| statements.iter().any(|s| s.sid == statement.sid);
    let span = span(stacks.iter().map(|(release, statements)| (release, has(statements))));
    let _ = write!(text, "\nIt is in the stacks of Karpenter {span}.");
    for name in &statement.official {
        let _ = write!(text, " The guide's template calls it {name}.");
    }
    let _ = write!(text, "\n\n{}", limits(statement));
    text
}

/// What the stack says of its queue and of the node role: no permission of the controller, and so in no table of those.
fn others() -> Vec<(String, String)> {
    let of = |has: fn(&Features) -> bool| {
        let releases = Release::all();
        format!("\n\nIt is in the stacks of Karpenter {}.", span(releases.iter().rev().map(|release| (release, has(release.features())))))
    };
    let events = format!(
        "Why the stack lets EventBridge call sqs:SendMessage (statement ReceiveEvents of the queue's policy):\nEventBridge puts the events \
         that Karpenter acts on (a spot instance that is taken back, maintenance, a change of state) into the interruption queue. It comes in its \
         own name and with no role of yours, so that only the policy of the queue can let it in. SQS may do the same there. Nobody else \
         may by this statement, and the controller, which reads the queue, is allowed that by its own policy (`karpctl explain \
         sqs:ReceiveMessage`).{}",
        of(|features| features.interruption_queue)
    );
    let plain = format!(
        "Why the stack refuses sqs:* on the queue without TLS (statement RefusePlainHttp of the queue's policy, which the guide's template calls \
         DenyHTTP):\nIt allows nothing. It refuses \
         whoever calls the queue by plain HTTP (aws:SecureTransport is false), whatever other policies allow, so that what happens \
         to your nodes is never readable on the way.{}",
        of(|features| features.queue_tls_only)
    );
    let assume = "Who takes the roles of Karpenter by sts:AssumeRole:\nThe node role is taken by EC2, for each node that Karpenter launches: \
                  the kubelet, the network add-on and SSM work by it. The controller's role is taken by EKS Pod Identity \
                  (pods.eks.amazonaws.com), which also needs sts:TagSession: it writes cluster, namespace and service account into the session. \
                  With IRSA the call is sts:AssumeRoleWithWebIdentity instead. `karpctl explain controller-trust` says what goes wrong there.";
    let named =
        [("ReceiveEvents", &events), ("sqs:SendMessage", &events), ("RefusePlainHttp", &plain), ("DenyHTTP", &plain), ("sqs:*", &plain)];
    let named = named.map(|(name, text)| (name.to_owned(), text.clone()));
    named.into_iter().chain(["sts:AssumeRole", "sts:TagSession"].map(|name| (name.to_owned(), assume.to_owned()))).collect()
}

/// The releases that have it, of these from the newest on: `0.17.0 to 0.28.1, 1.12.1, 1.13.0 and newer`.
fn span<'r>(releases: impl Iterator<Item = (&'r Release, bool)>) -> String {
    let mut releases: Vec<(&Release, bool)> = releases.collect();
    releases.reverse();
    let newest = releases.last().map(|(release, _)| *release);
    let runs = releases.chunk_by(|a, b| a.1 == b.1).filter(|run| run.iter().any(|(_, has)| *has));
    let said = runs.filter_map(|run| match (run.first()?.0, run.last()?.0) {
        (first, last) if Some(last) == newest => Some(format!("{first} and newer")),
        (first, last) => Some(wording::span(first, last)),
    });
    said.collect::<Vec<_>>().join(", ")
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

    #[test]
    fn every_kind_of_error_is_explained_with_its_exit_code() {
        let names: BTreeSet<String> = errors().map(|(name, _)| name).collect();
        assert!(names.len() == ErrorKind::ALL.len() && names.contains("not-found"), "{names:?}");
        for kind in ErrorKind::ALL {
            let (text, exit) = (meaning(kind), crate::error::Error::new(kind, "").exit().code());
            assert!(text.contains(&format!("xit code {exit}")), "{kind:?} ends with {exit}: {text}");
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
        assert!(text("sqs:GetQueueAttributes").contains("does not grant it, those of 0."), "{}", text("sqs:GetQueueAttributes"));
    }
}
