//! What is said when a bootstrap, a part of one or an adoption is done: what is there, where it is seen, what it costs, and what to type next.

use super::next::command_line;
use super::parts::Part;
use crate::app::App;
use crate::facts::Facts;
use crate::inventory::{Thing, inventory};
use crate::knowledge::RunningCost;
use crate::shell;
use crate::spec::{ClusterMode, ControllerCapacity, Partition, Spec};
use crate::steps::is_marked;
use std::path::PathBuf;

/// Says it to stdout, after the sentence that says that all went well.
pub(super) fn afterwards(app: &App, spec: &Spec, facts: &Facts) {
    show_things(app, "There:", &inventory(spec, facts));
    app.printer.told(&format!("\n{}", cost(spec, jiff::Zoned::now().date())));
    let access = (kubeconfig_command(app, spec), "lets kubectl and helm in: karpctl itself writes no kubeconfig");
    let commands = [VERIFY, STATUS, DESTROY].map(|(name, what)| (command(app, spec, facts, name), what));
    show_next(app, &commands.into_iter().chain([access]).collect::<Vec<_>>());
}

/// The same after a part of the way. Of that not all has been looked at, and so not all that is there can be said.
pub(super) fn after_part(app: &App, spec: &Spec, facts: &Facts, part: Part) {
    show_things(app, &format!("There, of what `karpctl {}` looks at:", part.name()), &inventory(spec, facts));
    let next = part.next().map(|next| (command_line(app, part.name(), next.name()), next.does()));
    let verify = (command(app, spec, facts, VERIFY.0), VERIFY.1);
    show_next(app, &[next.unwrap_or(verify), (command(app, spec, facts, STATUS.0), STATUS.1)]);
}

/// A command, and what it does.
type Next = (&'static str, &'static str);
const VERIFY: Next = ("verify", "proves it: a workload that makes Karpenter launch nodes");
const STATUS: Next = ("status", "shows what is there and what differs from the spec");
const DESTROY: Next = ("destroy", "takes away what karpctl made");

fn show_things(app: &App, head: &str, things: &[Thing]) {
    let printer = &app.printer;
    printer.answer(&format!("\n{head}"));
    for thing in things {
        printer.row(thing.what, &thing.name);
    }
    let seen: Vec<_> = things.iter().filter_map(|t| Some((t.what, t.console.as_ref()?))).collect();
    if !seen.is_empty() {
        printer.answer("\nIn the console:");
    }
    for (what, link) in seen {
        printer.row(what, link);
    }
}

fn show_next(app: &App, commands: &[(String, &str)]) {
    app.printer.answer("\nNext:");
    for (command, what) in commands {
        app.printer.answer(&format!("  {command}"));
        app.printer.told(&format!("      {what}"));
    }
}

/// The command that takes away what was made.
pub(super) fn way_back(app: &App, spec: &Spec, facts: &Facts) -> String {
    command(app, spec, facts, DESTROY.0)
}

/// Another command for the same cluster: it takes fewer flags than a bootstrap, so only those that say where, and which Karpenter, are repeated.
/// A person's environment is another one tomorrow.
fn command(app: &App, spec: &Spec, facts: &Facts, name: &str) -> String {
    let globals = &app.globals;
    let environment = app.env.layer().unwrap_or_default();
    let release = globals.karpenter_version.clone().or(environment.karpenter_version);
    let namespace = globals.namespace.clone().or(environment.namespace);
    let mut words = vec!["karpctl", name, "--cluster-name", spec.cluster_name.as_str(), "--region", spec.region.as_str()];
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let (file, kubeconfig, helm, eksctl) = (path(&globals.file), path(&globals.kubeconfig), path(&globals.helm), path(&globals.eksctl));
    let given = [
        ("--profile", &globals.profile),
        ("--karpenter-version", &release),
        ("--namespace", &namespace),
        ("--context", &globals.context),
        ("-f", &file),
        ("--kubeconfig", &kubeconfig),
        ("--account-id", &globals.account_id),
        ("--helm", &helm),
        ("--eksctl", &eksctl),
    ];
    words.extend(given.iter().filter_map(|(flag, value)| Some([*flag, value.as_deref()?])).flatten());
    // One that a person made with eksctl is worked with as it is, and is not taken away.
    let theirs = facts.cluster.known().is_some() && !is_marked(spec, facts);
    words.extend((spec.cluster == ClusterMode::Existing || theirs).then_some("--existing-cluster"));
    shell::command(&words.into_iter().map(str::to_owned).collect::<Vec<_>>())
}

/// How a person gets in by other programs.
fn kubeconfig_command(app: &App, spec: &Spec) -> String {
    let mut words = vec!["aws", "eks", "update-kubeconfig", "--name", spec.cluster_name.as_str(), "--region", spec.region.as_str()];
    words.extend(app.globals.profile.iter().flat_map(|profile| ["--profile", profile.as_str()]));
    shell::command(&words.into_iter().map(str::to_owned).collect::<Vec<_>>())
}

/// What it costs to leave it running, in words.
fn cost(spec: &Spec, today: jiff::civil::Date) -> String {
    if spec.cluster == ClusterMode::Existing {
        return "Karpenter itself costs next to nothing; the nodes that it launches cost what EC2 asks for them.".to_owned();
    }
    if spec.partition != Partition::Aws {
        return format!(
            "To leave it running costs money (control plane, nodes, NAT gateway), but karpctl knows no prices of {}.",
            spec.partition
        );
    }
    let nodes = match &spec.capacity {
        ControllerCapacity::NodeGroup(group) => Some((group.desired_capacity, group.instance_type.as_str())),
        ControllerCapacity::Fargate => None,
    };
    let cost = RunningCost::of(spec.kubernetes, today, nodes);
    let items: Vec<String> = cost.items.iter().map(|(what, usd)| format!("{what} ${usd:.3}")).collect();
    let mut more = cost.unknown.clone();
    more.extend((spec.capacity == ControllerCapacity::Fargate).then(|| "Fargate".to_owned()));
    more.push("traffic, disks, and the nodes that Karpenter launches".to_owned());
    format!(
        "To leave it running costs about ${:.2} an hour, ${:.0} a month, before anything runs in it: {}.\n\
         Not in it: {}. These are list prices of {} on {}; other regions and contracts differ.",
        cost.hourly(),
        cost.hourly() * 730.0,
        items.join(", "),
        more.join(", "),
        cost.region,
        cost.day
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::args::GlobalArgs;
    use crate::spec::layer::{Layer, Source};
    use crate::spec::resolve::{Discovered, resolve};

    fn spec(existing: bool) -> Spec {
        let layer = Layer {
            cluster_name: Some("demo".into()),
            region: Some("us-west-2".into()),
            account_id: Some("111122223333".into()),
            existing_cluster: Some(existing),
            kubernetes_version: Some("1.31".into()),
            ..Layer::default()
        };
        resolve(&[(Source::Flag, layer)], &Discovered::default()).unwrap().spec
    }

    /// What is typed next goes by the same release, or it would find nothing of it.
    #[test]
    fn the_next_command_repeats_what_was_given() {
        let globals = GlobalArgs { karpenter_version: Some("0.31.4".into()), helm: Some("/opt/helm".into()), ..GlobalArgs::default() };
        let mut app = App::new(globals);
        app.env.namespace = Some("karpenter".into());
        let facts = Facts::default();
        assert_eq!(
            command(&app, &spec(true), &facts, "destroy"),
            "karpctl destroy --cluster-name demo --region us-west-2 --karpenter-version 0.31.4 --namespace karpenter --helm /opt/helm --existing-cluster"
        );
        assert!(!command(&app, &spec(false), &facts, "verify").contains("--existing-cluster"));
    }

    #[test]
    fn of_every_cluster_it_is_said_what_it_costs_or_that_nobody_knows() {
        let said = |region: &str, existing: bool| {
            let layer = Layer {
                cluster_name: Some("demo".into()),
                region: Some(region.into()),
                account_id: Some("111122223333".into()),
                existing_cluster: Some(existing),
                kubernetes_version: Some("1.35".into()),
                ..Layer::default()
            };
            let spec = resolve(&[(Source::Flag, layer)], &Discovered::default()).unwrap().spec;
            cost(&spec, "2026-07-06".parse().unwrap())
        };
        assert!(said("us-west-2", false).starts_with("To leave it running costs about $0.34 an hour, "), "{}", said("us-west-2", false));
        for region in ["us-west-2", "cn-north-1"] {
            assert!(said(region, true).starts_with("Karpenter itself costs next to nothing"), "{}", said(region, true));
        }
        for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
            assert!(said(region, false).ends_with(&format!("knows no prices of {partition}.")), "{}", said(region, false));
        }
    }
}
