//! What a doctor looks at: this machine, AWS, the cluster and the chart registry, all at the same time.

use super::anywhere::{anywhere, partition_of};
use super::doctor::DoctorArgs;
use super::session::{Session, layers, of_that_account};
use super::waiting::{CALLER, SOON, patiently};
use crate::app::App;
use crate::checks::Check;
use crate::doctor::{FACTS_SCHEMA, SavedFacts, topics};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{ClientFacts, ExecFacts, Facts, KubeconfigFacts, OFFLINE, Probed, RegistryLogin, Topic};
use crate::knowledge::Tool;
use crate::ports::Workstation as _;
use crate::probe::account::account;
use crate::probe::client::{ClientQuestion, clients};
use crate::probe::programs::programs;
use crate::probe::registry::chart_tag;
use crate::probe::registry_login::registry_login;
use crate::spec::layer::{ChartLayer, Layer};
use crate::spec::resolve::{Discovered, resolve_to_judge};
use crate::spec::{ChartSource, Meant, Spec};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Looks at what these checks are judged by.
pub(super) async fn look(app: &App, args: &DoctorArgs, checks: &[Box<dyn Check>]) -> Result<SavedFacts> {
    let topics = topics(checks);
    let (machine, beyond, login) =
        tokio::join!(look_at_machine(app, args, &topics), look_beyond(app, args, checks), look_at_login(app, args, &topics));
    let (spec, mut facts) = beyond?;
    facts.take_topics(&machine, &[Topic::Clients, Topic::Programs].into());
    if let Some(login) = login? {
        facts.registry_login = login;
    }
    let globals = &app.globals;
    let meant = Meant {
        profile: globals.profile.clone(),
        context: context(app),
        kubeconfig: globals.kubeconfig.as_ref().map(|file| file.display().to_string()),
        ..Meant::by(&layers(app, &args.variant)?)
    };
    Ok(SavedFacts { schema: FACTS_SCHEMA.into(), day: jiff::Zoned::now().date(), spec, meant, facts })
}

/// Where the charts come from, as far as is said without a cluster.
fn charts(app: &App, args: &DoctorArgs) -> Result<ChartSource> {
    let layers = layers(app, &args.variant)?;
    let said = |of: fn(&ChartLayer) -> Option<String>| layers.iter().find_map(|(_, layer)| layer.chart.as_ref().and_then(of));
    let default = ChartSource::default();
    Ok(ChartSource {
        repository: said(|chart| chart.repository.clone()).unwrap_or_else(|| default.repository.clone()),
        registry_config: said(|chart| chart.registry_config.clone()).map(Into::into),
        ..default
    })
}

/// Who helm would say to the chart registry that it is: a credential helper that takes its time is not waited for by all else.
async fn look_at_login(app: &App, args: &DoctorArgs, topics: &BTreeSet<Topic>) -> Result<Option<Probed<Box<RegistryLogin>>>> {
    if !topics.contains(&Topic::RegistryLogin) {
        return Ok(None);
    }
    let (station, charts) = (app.workstation(), charts(app, args)?);
    let helm = station.client(Tool::Helm, app.globals.helm.as_deref()).await.ok().flatten().and_then(|client| client.build);
    let what = "helm's log-in to the chart registry, by its credential helper";
    Ok(Some(patiently(|line| app.printer.status(line), SOON, what, registry_login(&station, &charts, helm.as_ref())).await))
}

/// The clients with their plugins, and the other programs.
async fn look_at_machine(app: &App, args: &DoctorArgs, topics: &BTreeSet<Topic>) -> Facts {
    let mut facts = Facts::default();
    let station = app.workstation();
    if topics.contains(&Topic::Programs) {
        let globals = &app.globals;
        let given = [(Tool::Helm, &globals.helm), (Tool::Kubectl, &globals.kubectl), (Tool::Eksctl, &globals.eksctl)];
        let file = |(tool, path): (Tool, &Option<PathBuf>)| Some((tool, station.named(tool, path.as_deref()?).ok()?));
        let named: Vec<(Tool, PathBuf)> = given.into_iter().filter_map(file).collect();
        facts.programs = programs(&station, &named);
    }
    if topics.contains(&Topic::Clients) {
        let question = question(app, args);
        let longest = args.plugin_timeout.as_secs();
        let what = format!("the Kubernetes clients and the credential plugin of their kubeconfig, {longest} s at most");
        facts.clients = patiently(|line| app.printer.status(line), SOON, &what, clients(&station, &question)).await;
        ask_profiles(app, args, &mut facts).await;
    }
    facts
}

/// Of which accounts the profiles are that kubeconfigs name beside the one in use: each is asked for once, all at the same time.
async fn ask_profiles(app: &App, args: &DoctorArgs, facts: &mut Facts) {
    let Probed::Known(clients) = &mut facts.clients else { return };
    let mut plugins: Vec<&mut ExecFacts> = clients.iter_mut().filter_map(plugin).filter(|exec| !exec.keys_go_first).collect();
    let named: BTreeSet<String> = plugins.iter().filter_map(|exec| exec.other_profile()).map(str::to_owned).collect();
    let ask = |profile: String| async move {
        let account = if args.offline { Probed::Unavailable(OFFLINE.into()) } else { Box::pin(account_of(app, args, &profile)).await };
        (profile, account)
    };
    let known: BTreeMap<String, Probed<String>> = join_all(named.into_iter().map(ask)).await.into_iter().collect();
    for exec in &mut plugins {
        if let Some(account) = exec.other_profile().and_then(|profile| known.get(profile)) {
            exec.profile_account = account.clone();
        }
    }
}

fn plugin(client: &mut ClientFacts) -> Option<&mut ExecFacts> {
    match &mut client.kubeconfig {
        KubeconfigFacts::Chosen(chosen) => chosen.exec.as_mut(),
        _ => None,
    }
}

/// The account of a profile; its credentials may be a program's, which takes as long as a plugin may.
async fn account_of(app: &App, args: &DoctorArgs, profile: &str) -> Probed<String> {
    let asked = async {
        let place = anywhere(app, None, partition_of(app), Some(profile)).await?;
        place.ports.aws.caller().await.map_err(|e| place.told(e))
    };
    let what = format!("{CALLER} by the profile {profile}");
    let asked = Box::pin(tokio::time::timeout(args.plugin_timeout, asked));
    match patiently(|line| app.printer.status(line), SOON, &what, asked).await {
        Ok(answer) => answer.map_or_else(|e| Probed::Unavailable(e.to_string()), |caller| Probed::Known(caller.account.to_string())),
        Err(_) => Probed::Unavailable(format!("no answer within {} s", args.plugin_timeout.as_secs())),
    }
}

/// AWS, the cluster, the registry, and the spec that follows from them.
async fn look_beyond(app: &App, args: &DoctorArgs, checks: &[Box<dyn Check>]) -> Result<(Option<Spec>, Facts)> {
    let topics = &topics(checks);
    let beyond: BTreeSet<Topic> = topics.iter().copied().filter(|t| !t.on_this_machine()).collect();
    let mut facts = Facts::default();
    if args.offline || beyond.is_empty() {
        for topic in beyond {
            facts.say_unavailable(topic, OFFLINE);
        }
        if args.offline {
            facts.say_unavailable(Topic::Caller, OFFLINE);
        }
        let spec = offline_spec(app, args)?;
        // Without a spec there is nothing that a tool could fit.
        if spec.is_some() && topics.contains(&Topic::Tools) {
            (facts.helm, facts.eksctl) = app.tools().await;
        }
        return Ok((spec, facts));
    }
    let concerned = checks.iter().any(|check| check.of_cluster()) || topics.contains(&Topic::Cluster) && names_cluster(app, args)?;
    if !concerned {
        return Ok((None, Box::pin(look_at_account(app, args, &beyond)).await?));
    }
    match Session::open_by(app, &args.variant, resolve_to_judge).await {
        Ok(mut session) => {
            let registry = app.registry();
            let spec = session.spec.clone();
            let tag = async {
                if !topics.contains(&Topic::ChartTag) {
                    return Probed::NotAsked;
                }
                let what = format!("the chart registry, {}", spec.chart.repository);
                patiently(|line| app.printer.status(line), SOON, &what, chart_tag(&registry, &spec)).await
            };
            let (tag, ()) = tokio::join!(tag, session.read(topics.clone()));
            Ok((Some(spec), Facts { chart_tag: tag, ..session.facts }))
        }
        // What keeps every other look from being made is itself what a doctor is asked for.
        Err(e) if matches!(e.kind, ErrorKind::Credentials | ErrorKind::Unreachable | ErrorKind::Denied) => {
            facts = nothing_asked(app, &beyond, &e);
            if topics.contains(&Topic::Clock) {
                facts.clock = clock_all_the_same(app, args, &e).await;
            }
            Ok((offline_spec(app, args)?, facts))
        }
        // A spec file that cannot be read is read without AWS, too.
        Err(e) if e.kind == ErrorKind::Usage && layers(app, &args.variant).is_ok() => {
            Err(e.hint("or look at this machine alone: `karpctl doctor --offline`"))
        }
        Err(e) => Err(e),
    }
}

/// What is known where nothing could be asked, for this reason.
fn nothing_asked(app: &App, topics: &BTreeSet<Topic>, why: &Error) -> Facts {
    let mut facts = Facts::default();
    for topic in topics {
        facts.say_unavailable(*topic, &why.to_string());
    }
    facts.caller = Probed::Unavailable(why.to_string());
    why.details.iter().for_each(|detail| app.printer.detail(detail));
    facts
}

/// Whether it is said which cluster is meant.
fn names_cluster(app: &App, args: &DoctorArgs) -> Result<bool> {
    let layers = layers(app, &args.variant)?;
    Ok(layers.iter().any(|(_, l)| l.cluster_name.is_some()) && layers.iter().any(|(_, l)| l.region.is_some()))
}

/// The account, where no check is about a cluster: neither its name nor a region need be known.
async fn look_at_account(app: &App, args: &DoctorArgs, topics: &BTreeSet<Topic>) -> Result<Facts> {
    let layers = layers(app, &args.variant)?;
    let given = |get: fn(&Layer) -> Option<&String>| layers.iter().find_map(|(_, layer)| get(layer)).map(String::as_str);
    let (region, partition) = (given(|l| l.region.as_ref()), given(|l| l.partition.as_ref()));
    let place = match anywhere(app, region, partition, app.globals.profile.as_deref()).await {
        Err(e) if e.kind == ErrorKind::Credentials => return Ok(nothing_asked(app, topics, &e)),
        connected => connected?,
    };
    if let Some(taken) = place.taken {
        app.printer.status(&format!(
            "note: no AWS region is set, so {taken} is asked, which knows the account as every region of its partition does"
        ));
    }
    let ports = &place.ports;
    let say = |line: &str| app.printer.status(line);
    let caller = patiently(say, SOON, CALLER, ports.aws.caller()).await.map_err(|e| place.told(e));
    // Who does not answer this answers nothing else, and would be waited for as long each time.
    if let Err(e) = &caller
        && e.kind == ErrorKind::Unreachable
    {
        return Ok(nothing_asked(app, topics, e));
    }
    caller.as_ref().err().into_iter().flat_map(|e| &e.details).for_each(|detail| app.printer.detail(detail));
    let facts = patiently(say, SOON, "the answer of AWS to iam:GetRole", account(ports.aws.as_ref(), topics, caller)).await;
    facts.caller.known().map_or(Ok(()), |caller| of_that_account(&layers, caller))?;
    Ok(facts)
}

/// The clock, where AWS refuses to say anything else: a clock that is off may be why.
async fn clock_all_the_same(app: &App, args: &DoctorArgs, refused: &Error) -> Probed<i64> {
    let unavailable = || Probed::Unavailable(refused.to_string());
    if refused.kind == ErrorKind::Unreachable {
        return unavailable();
    }
    let region = layers(app, &args.variant).ok().and_then(|layers| layers.iter().find_map(|(_, l)| l.region.clone()));
    let Ok((ports, _)) = app.connect(region.as_deref()).await else { return unavailable() };
    let _ = ports.aws.caller().await;
    ports.aws.clock_ahead().map_or_else(unavailable, Probed::Known)
}

fn question(app: &App, args: &DoctorArgs) -> ClientQuestion {
    let globals = &app.globals;
    let named = [(Tool::Helm, &globals.helm), (Tool::Kubectl, &globals.kubectl)];
    ClientQuestion {
        named: named.into_iter().filter_map(|(tool, path)| Some((tool, path.clone()?))).collect(),
        kubeconfig: globals.kubeconfig.clone(),
        context: context(app),
        profile: globals.profile.clone(),
        limit: args.plugin_timeout,
    }
}

/// The context that is named. An empty name is none, as the clients take it.
fn context(app: &App) -> Option<String> {
    app.globals.context.clone().filter(|name| !name.is_empty())
}

/// The spec without AWS: `None` where too little is given for one.
fn offline_spec(app: &App, args: &DoctorArgs) -> Result<Option<Spec>> {
    let layers = layers(app, &args.variant)?;
    let named = layers.iter().any(|(_, l)| l.cluster_name.is_some());
    let placed = layers.iter().any(|(_, l)| l.region.is_some()) && layers.iter().any(|(_, l)| l.account_id.is_some());
    if !(named && placed) {
        return Ok(None);
    }
    let resolved = resolve_to_judge(&layers, &Discovered::default())?;
    resolved.notes.iter().for_each(|note| app.printer.status(&format!("note: {note}")));
    Ok(Some(resolved.spec))
}
