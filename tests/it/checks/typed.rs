//! What is printed is typed as it stands: it goes to the account and to the cluster that was looked at.

use super::aws::known;
use super::machine::{broken_exec, client, said};
use super::{DAY, exactly, healthy};
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{Entry, ExecFacts, Facts, KubeconfigFacts, Probed};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{Meant, Spec};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn what_is_typed_as_printed_goes_to_the_account_of_the_profile() {
    let (spec, mut facts) = healthy().await;
    facts.caller = Probed::Unavailable("the SSO session associated with this profile has expired".into());
    facts.queue = Probed::Absent;
    known(&mut facts.controller_role).trust = json!({"Version": "2012-10-17", "Statement": []});
    // Cures by a script and by eksctl.
    let mut without_stack = facts.clone();
    without_stack.stack = Probed::Absent;
    without_stack.stack_policies =
        Probed::Known([("arn:aws:iam::111122223333:policy/KarpenterControllerPolicy-demo".to_owned(), 0)].into());
    known(&mut without_stack.entry).answer = Entry::NotKnown;
    known(&mut without_stack.cluster).authentication_mode = "CONFIG_MAP".into();
    let said = |facts: &Facts, profile: Option<&str>| {
        let meant = Meant { profile: profile.map(str::to_owned), ..Meant::default() };
        let situation = Situation { spec: Some(&spec), meant: &meant, facts, today: DAY.parse().unwrap() };
        judge(&all(), &situation)
    };
    let commands = |profile| {
        let found = [&facts, &without_stack].into_iter().flat_map(|facts| said(facts, profile));
        found.flat_map(|f| f.fixes).map(|fix| fix.command).filter(|c| !c.is_empty()).collect::<Vec<_>>()
    };
    let asks = |word: &&str| ["aws", "eksctl", "karpctl"].contains(&word.trim_start_matches("$("));
    let asked: Vec<String> = commands(Some("dev")).iter().map(|command| command.join(" ")).collect();
    for command in &asked {
        assert_eq!(command.matches("--profile dev").count(), command.split(' ').filter(asks).count(), "{command}");
    }
    let of = |program: &str| asked.iter().any(|command| command.starts_with(program));
    assert!(of("aws ") && of("eksctl ") && of("sh -c for version in $(aws --profile dev iam "), "{asked:#?}");
    assert!(commands(None).iter().all(|command| !command.contains(&"--profile".to_owned())));
    let log_in = said(&facts, Some("dev")).into_iter().find(|f| f.id == "aws-credentials").unwrap();
    assert_eq!(log_in.fixes[0].command, ["aws", "sso", "login", "--profile", "dev"]);
}

/// The commands by which a client works on a cluster, with the finding of each.
fn on_a_cluster(found: &[Finding]) -> Vec<(&Finding, String)> {
    let commands = found.iter().flat_map(|finding| finding.fixes.iter().map(move |fix| (finding, fix.command.join(" "))));
    let client = |command: &str| {
        ["kubectl ", "helm "].iter().any(|program| command.starts_with(program) || command.contains(&format!("| {program}")))
    };
    let own = |command: &str| ["kubectl config ", "helm registry "].iter().any(|words| command.starts_with(words));
    commands.filter(|(_, command)| client(command) && !own(command)).collect()
}

/// Whatever is wrong: a context that is given is in every command, and where a client's own leads to another cluster, one of this cluster is made first
/// and named.
#[track_caller]
pub(super) fn to_the_cluster_that_was_looked_at(spec: &Spec, facts: &Facts, day: &str) {
    let judged = |meant: &Meant, facts: &Facts| judge(&all(), &Situation { spec: Some(spec), meant, facts, today: day.parse().unwrap() });
    let given = Meant { context: Some("my own".into()), kubeconfig: Some("/k".into()), ..Meant::default() };
    for (_, command) in on_a_cluster(&judged(&given, facts)) {
        let named = |flag: &str| ["my own", "'my own'"].iter().any(|name| command.contains(&format!("{flag} {name} --kubeconfig /k ")));
        let names = if command.contains("kubectl ") { named("kubectl --context") } else { named("helm --kube-context") };
        assert!(names || command.contains("--kubeconfig /home/me/.kube/config"), "{command}");
    }
    if facts.cluster.known().is_none_or(|cluster| cluster.endpoint.is_none()) {
        return;
    }
    let mut elsewhere = facts.clone();
    elsewhere.clients = Probed::Known(vec![another_clusters()]);
    for (finding, command) in on_a_cluster(&judged(&Meant::default(), &elsewhere)) {
        let Spec { partition, region, account_id, cluster_name, .. } = spec;
        let arn = format!("context arn:{partition}:eks:{region}:{account_id}:cluster/{cluster_name} ");
        assert!(command.contains(&arn) || command.contains("--kubeconfig /home/me/.kube/config"), "{command}");
        let first = finding.fixes[0].command.join(" ");
        assert!(!command.contains(&arn) || first.starts_with("aws eks update-kubeconfig --name "), "{finding:#?}");
    }
}

/// A client whose context is that of another cluster.
fn another_clusters() -> karpctl::facts::ClientFacts {
    let mut client = client();
    let KubeconfigFacts::Chosen(chosen) = &mut client.kubeconfig else { panic!() };
    let arn = "arn:aws:eks:us-west-2:111122223333:cluster/prod".to_owned();
    (chosen.context, chosen.user, chosen.server) = (arn.clone(), arn, "https://0000000000000000.gr7.us-west-2.eks.amazonaws.com".into());
    client
}

#[tokio::test(start_paused = true)]
async fn no_command_goes_to_the_cluster_of_the_current_context() {
    let (spec, mut facts) = healthy().await;
    known(&mut facts.chart_release).values["settings"]["clusterName"] = json!("other");
    let of = |meant: &Meant, facts: &Facts| {
        let found = judge(&all(), &Situation { spec: Some(&spec), meant, facts, today: DAY.parse().unwrap() });
        let commands = found.iter().filter(|f| f.id == "chart-names").flat_map(|f| &f.fixes).map(|fix| fix.command.join(" "));
        commands.filter(|command| !command.is_empty()).collect::<Vec<_>>()
    };
    assert!(of(&Meant::default(), &facts)[0].starts_with("helm upgrade karpenter "), "its own context is not known, or the right one");
    let given = Meant { context: Some("demo".into()), ..Meant::default() };
    assert!(of(&given, &facts)[0].starts_with("helm --kube-context demo upgrade karpenter "), "{:?}", of(&given, &facts));
    facts.clients = Probed::Known(vec![client()]);
    assert!(of(&Meant::default(), &facts)[0].starts_with("helm upgrade karpenter "));
    facts.clients = Probed::Known(vec![another_clusters()]);
    let commands = of(&Meant::default(), &facts);
    assert_eq!(commands[0], "aws eks update-kubeconfig --name demo --region us-west-2 --kubeconfig /home/me/.kube/config");
    assert!(
        commands[1].starts_with("helm --kube-context arn:aws:eks:us-west-2:111122223333:cluster/demo upgrade karpenter "),
        "{commands:?}"
    );
    // An entry of its own that leads to a cluster that is gone keeps its name.
    let mut stale = another_clusters();
    let KubeconfigFacts::Chosen(chosen) = &mut stale.kubeconfig else { panic!() };
    (chosen.context, chosen.user) = ("work".into(), "me".into());
    facts.clients = Probed::Known(vec![stale]);
    let commands = of(&Meant::default(), &facts);
    assert!(commands[0].ends_with(" --alias work") && commands[1].starts_with("helm --kube-context work upgrade "), "{commands:?}");
}

/// A plugin that fails, judged with `--profile admin`, which it does not hear.
async fn deaf(complaint: &str, change: impl FnOnce(&mut ExecFacts)) -> (Vec<Finding>, Vec<String>) {
    let complaint = complaint.to_owned();
    let (spec, mut facts) = healthy().await;
    let mut client = client();
    let KubeconfigFacts::Chosen(chosen) = &mut client.kubeconfig else { panic!() };
    let exec = chosen.exec.as_mut().unwrap();
    (exec.profile_in_use, exec.by_flag_alone) = (Some("admin".into()), true);
    let run = exec.run.as_mut().unwrap();
    (run.ended, run.stderr) = (Some("exit code 255".into()), vec![complaint]);
    change(exec);
    facts.clients = Probed::Known(vec![client]);
    let meant = Meant { profile: Some("admin".into()), ..Meant::default() };
    let found = judge(&all(), &Situation { spec: Some(&spec), meant: &meant, facts: &facts, today: DAY.parse().unwrap() });
    let answer = found.iter().find(|f| f.id == "exec-answer").unwrap();
    let commands = answer.fixes.iter().map(|fix| fix.command.join(" ")).collect();
    (found, commands)
}

const PLUGIN: &str = "aws --region us-west-2 eks get-token --cluster-name demo --output json";

#[tokio::test(start_paused = true)]
async fn a_plugin_is_run_by_hand_as_the_client_runs_it() {
    let (found, commands) = deaf("Unable to locate credentials", |_| ()).await;
    let anew = "aws eks update-kubeconfig --name demo --region us-west-2 --profile admin --kubeconfig /home/me/.kube/config";
    assert_eq!(commands, [PLUGIN, anew]);
    let unheard = found.iter().find(|f| f.id == "kubeconfig-profile").unwrap();
    assert_eq!((unheard.result, unheard.fixes[0].command.join(" ").as_str()), (Verdict::Warn, anew), "{unheard:#?}");
    // Which AWS_PROFILE says too, the plugin hears.
    let (found, commands) = deaf("Unable to locate credentials", |exec| exec.by_flag_alone = false).await;
    assert_eq!(commands, [PLUGIN]);
    assert_eq!(found.iter().find(|f| f.id == "kubeconfig-profile").unwrap().result, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_log_in_of_the_plugin_that_has_ended_is_made_again() {
    let ended = "Error when retrieving token from sso: Token has expired and refresh failed";
    let (_, commands) = deaf(ended, |exec| exec.profile = Some("prod".into())).await;
    assert_eq!(commands, ["aws sso login --profile prod".to_owned(), format!("env AWS_PROFILE=prod {PLUGIN}")]);
    assert_eq!(deaf(ended, |_| ()).await.1[0], "aws sso login", "the plugin does not hear of the profile in use");
    let found = broken_exec(|exec| {
        let run = exec.run.as_mut().unwrap();
        (run.ended, run.stderr) = (Some("exit code 255".into()), vec!["An error occurred (ExpiredTokenException)".into()]);
    })
    .await;
    exactly(&found, "exec-answer", Verdict::Fail);
    said(&found, &["whatever gave you the credentials that have ended"]);
}
