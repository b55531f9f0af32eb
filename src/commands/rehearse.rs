//! `karpctl rehearse`: the main job on stand-ins, no AWS account.

use super::answer::json;
use crate::adapters::lab::{self, Answer, Lab};
use crate::app::App;
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::knowledge::{KubernetesVersion, Release};
use crate::report::Format;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

/// Rehearse bootstrap, verify and destroy on stand-ins, without an AWS account
///
/// Starts the lab on this machine: the real eksctl, helm, Kubernetes API server and Karpenter controller, with an emulator in
/// place of AWS. Installs the lab's parts first where they are missing, which takes a while once.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl rehearse
  karpctl rehearse -f my.yaml -o json")]
pub struct RehearseArgs {
    /// Install the lab's parts and go no further
    #[arg(long)]
    install_only: bool,
    /// How many pods `verify` asks for
    #[arg(long, default_value_t = 3)]
    replicas: u32,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

impl RehearseArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.output
    }
}

/// The schema id of a [`Rehearsal`].
const SCHEMA: &str = "karpctl/rehearsal/v1";

/// What a rehearsal came to.
#[derive(Debug, Serialize)]
struct Rehearsal {
    schema: &'static str,
    ok: bool,
    acts: Vec<Act>,
    /// What is left of the account and the cluster, except what belongs to the account as such.
    left_over: Value,
}

/// One command of a rehearsal.
#[derive(Debug, Serialize)]
struct Act {
    command: String,
    began_seconds: f64,
    seconds: f64,
    exit: i32,
    /// karpctl's own AWS requests by service.
    requests: BTreeMap<String, usize>,
}

/// Runs the command.
pub fn run(app: &App, args: &RehearseArgs) -> Result<Exit> {
    let cache = app
        .env
        .lab_cache
        .clone()
        .or_else(|| app.env.cache_home.as_ref().map(|c| c.join("karpctl-lab")))
        .ok_or_else(|| Error::usage("there is no place to install the lab").hint("set HOME, or KARPCTL_LAB_CACHE"))?;
    let source = lab::source(&cache)?;
    app.printer.status("Looking at the lab's parts …");
    lab::install(&source).map_err(|error| if app.cancel.is_cancelled() { install_interrupted() } else { error })?;
    if args.install_only {
        return Ok(Exit::Done);
    }
    let layers = super::session::layers(app, &super::args::VariantArgs::default())?;
    let given = |get: fn(&crate::spec::layer::Layer) -> Option<String>| layers.iter().find_map(|(_, l)| get(l));
    let name = given(|l| l.cluster_name.clone()).unwrap_or_else(|| "rehearsal".into());
    let region = given(|l| l.region.clone()).unwrap_or_else(|| "us-west-2".into());
    let existing = layers.iter().find_map(|(_, l)| l.existing_cluster).unwrap_or(false);
    let dir = tempfile::tempdir().map_err(|e| Error::failed("cannot make a directory for the lab").because(e.to_string()))?;
    let up = |part: &str| app.printer.status(&format!("lab: {part} is up"));
    let lab = match tokio::task::block_in_place(|| Lab::start(&source, dir.path(), &["--region", &region], &app.cancel, up)) {
        Err(error) if error.kind == ErrorKind::Interrupted => return Err(interrupted()),
        Err(error) => {
            // It names its logs, which are there.
            let _ = dir.keep();
            return Err(error);
        }
        Ok(lab) => lab,
    };
    let rehearsal = tokio::task::block_in_place(|| {
        if existing {
            let version = given(|l| l.kubernetes_version.clone())
                .unwrap_or_else(|| kubernetes_of(given(|l| l.karpenter_version.clone()).as_deref()).to_string());
            lab.make_cluster(&serde_json::json!({"name": name, "version": version, "authenticationMode": "API_AND_CONFIG_MAP", "oidc": false, "pod_identity_agent": false}))?;
        }
        rehearse(app, args, &lab, &name, &region, existing)
    });
    app.printer.status("Stopping the lab …");
    lab.stop();
    let rehearsal = rehearsal?;
    match args.output {
        Format::Human => show(app, &rehearsal),
        machine => app.printer.document(&json(&rehearsal, machine.into())?),
    }
    Ok(if rehearsal.ok { Exit::Done } else { Exit::Failed })
}

fn rehearse(app: &App, args: &RehearseArgs, lab: &Lab, name: &str, region: &str, existing: bool) -> Result<Rehearsal> {
    let began = Instant::now();
    let replicas = args.replicas.to_string();
    let script: [&[&str]; 5] = [
        &["bootstrap", "--yes"],
        &["verify", "--replicas", &replicas],
        &["status", "--exit-code"],
        &["bootstrap", "--dry-run", "--exit-code"],
        &["destroy", "--yes", "--delete-crds"],
    ];
    let answer = if args.output.is_machine() { Answer::Unseen } else { Answer::Shown };
    let mut acts = Vec::new();
    let before = if existing { of_cluster(lab.get("inventory")?) } else { Value::Null };
    for words in script {
        let command = format!("karpctl {} --cluster-name {name}", words.join(" "));
        app.printer.copied(&format!("\n$ {command}"));
        let since = lab.get("requests")?.as_array().map_or(0, Vec::len);
        let act_began = Instant::now();
        let mut all = globals(app, lab, name, region)?;
        all.extend(words.iter().map(OsString::from));
        let status = app
            .lend_terminal(|| lab.karpctl(&all, answer))
            .map_err(|e| Error::failed(format!("cannot run {command}")).because(e.to_string()))?;
        acts.push(Act {
            command,
            began_seconds: act_began.duration_since(began).as_secs_f64(),
            seconds: act_began.elapsed().as_secs_f64(),
            exit: status.code().unwrap_or(-1),
            requests: requests(&lab.get(&format!("requests?since={since}"))?),
        });
        if app.cancel.is_cancelled() {
            return Err(interrupted());
        }
        if !status.success() {
            break;
        }
    }
    let left_over = of_cluster(lab.get("inventory")?);
    let left_over = if existing { Value::String(difference(&before, &left_over)) } else { prune(left_over) };
    let empty = matches!(&left_over, Value::Null) || left_over.as_str() == Some("");
    let ok = acts.len() == script.len() && acts.iter().all(|a| a.exit == 0) && empty;
    Ok(Rehearsal { schema: SCHEMA, ok, acts, left_over })
}

fn install_interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the installation of the lab's parts was interrupted")
        .hint("what is installed is kept: `karpctl rehearse` goes on from there")
}

/// What the act said helps is of an account and a cluster that go with the lab.
fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the rehearsal was interrupted")
        .hint("its account and its cluster are gone with the lab: nothing is left running, and nothing of the above is to be done")
        .hint("`karpctl rehearse` begins anew")
}

/// The Kubernetes of a cluster of which nobody says it: that of the release's guide. A release that is none is for the first act to say.
fn kubernetes_of(release: Option<&str>) -> KubernetesVersion {
    let release = release.and_then(|release| release.parse().ok()).unwrap_or_else(Release::newest);
    release.features().guide_kubernetes
}

/// What each act says before its own words.
fn globals(app: &App, lab: &Lab, name: &str, region: &str) -> Result<Vec<OsString>> {
    let given = &app.globals;
    let flags = [
        ("--cluster-name", Some(name)),
        ("--region", Some(region)),
        ("--account-id", Some(lab.ready.account.as_str())),
        ("--karpenter-version", given.karpenter_version.as_deref()),
        ("--kubernetes-version", given.kubernetes_version.as_deref()),
        ("--namespace", given.namespace.as_deref()),
    ];
    let mut words: Vec<OsString> =
        flags.into_iter().filter_map(|(flag, value)| Some([flag, value?])).flatten().map(OsString::from).collect();
    let there = || Some(crate::spec::file::DEFAULT_FILE.into()).filter(|file: &std::path::PathBuf| file.exists());
    if let Some(file) = given.file.clone().or_else(there) {
        words.extend(["--file".into(), absolute(&file)?.into_os_string()]);
    }
    Ok(words)
}

fn absolute(path: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(path).map_err(|e| Error::usage(format!("cannot find {}", path.display())).because(e.to_string()))
}

fn requests(log: &Value) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in log.as_array().into_iter().flatten() {
        if row["agent"].as_str().is_some_and(|agent| agent.contains("karpctl")) {
            *counts.entry(row["service"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
        }
    }
    counts
}

/// An inventory without what belongs to the account as such, and without its own verdict.
fn of_cluster(mut inventory: Value) -> Value {
    if let Some(all) = inventory.as_object_mut() {
        all.remove("account_level");
        all.remove("empty");
    }
    inventory
}

/// An inventory without what is empty; `Null` where nothing is left.
fn prune(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept: serde_json::Map<String, Value> = map.into_iter().map(|(k, v)| (k, prune(v))).filter(|(_, v)| !v.is_null()).collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Value::Array(list) => {
            let kept: Vec<Value> = list.into_iter().map(prune).filter(|v| !v.is_null()).collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        Value::String(text) if text.is_empty() => Value::Null,
        other => other,
    }
}

/// What differs between an inventory before and one after, a line each.
fn difference(before: &Value, after: &Value) -> String {
    let text = |v: &Value| serde_json::to_string_pretty(v).unwrap_or_default();
    similar::TextDiff::from_lines(&text(before), &text(after))
        .iter_all_changes()
        .filter(|c| c.tag() != similar::ChangeTag::Equal)
        .map(|c| format!("{}{}", c.tag(), c.value()))
        .collect()
}

fn show(app: &App, rehearsal: &Rehearsal) {
    let say = |text: &str| app.printer.answer(text);
    say("\nTimeline");
    say("     began      took");
    for act in &rehearsal.acts {
        let ended = if act.exit == 0 { String::new() } else { format!("  exit {}", act.exit) };
        say(&format!("  {:>6.1} s  {:>6.1} s  {}{ended}", act.began_seconds, act.seconds, act.command));
    }
    say("\nRequests to AWS");
    for act in &rehearsal.acts {
        let requests: Vec<String> = act.requests.iter().map(|(service, n)| format!("{service} {n}")).collect();
        let words = act.command.split_whitespace().nth(1).unwrap_or_default();
        app.printer.told(&format!("  {words:<11}{}", requests.join(", ")));
    }
    match &rehearsal.left_over {
        Value::Null => say("\nInventory: empty. Nothing is left of the cluster and its account."),
        Value::String(text) if text.is_empty() => say("\nInventory: as before the rehearsal."),
        left => say(&format!("\nInventory: not empty.\n{}", serde_json::to_string_pretty(left).unwrap_or_default())),
    }
    if rehearsal.ok {
        say("The rehearsal went well.");
        app.printer.copied("\nNext, with an account of your own:\n  karpctl init\n  karpctl bootstrap --dry-run");
    } else {
        say("The rehearsal failed.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_of_which_nobody_says_it_is_as_the_guide_has_it() {
        let newest = Release::newest().features().guide_kubernetes;
        assert_eq!((kubernetes_of(None), kubernetes_of(Some("rubbish"))), (newest, newest));
        assert_eq!(kubernetes_of(Some("1.0.8")).to_string(), "1.31");
    }
}
