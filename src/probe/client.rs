//! The Kubernetes clients on this machine: the kubeconfig as each of them reads it, and its credential plugin run as each runs it.

use super::client_problems::{cluster_problem, user_problem};
use super::plugin_policy::forbidden;
use super::writers::at_hand;
use crate::credential;
use crate::error::Result;
use crate::facts::{ChosenFacts, ClientFacts, ExecFacts, KubeconfigFacts, NO_SUCH_FILE, PluginRun, Probed};
use crate::knowledge::exec::{EXEC_INFO, assumed, is_asked};
use crate::knowledge::{ClientBuild, Tool};
use crate::kubeconfig::{Cluster, Context, Exec, Kubeconfig, Merging, Source, User, load, named, text};
use crate::ports::{ClientBinary, PluginCall, Workstation};
use crate::secret::{masked, masked_args};
use base64::Engine as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is asked.
#[derive(Debug, Clone)]
pub struct ClientQuestion {
    /// The clients whose files are named. Empty: helm and kubectl, as PATH finds them.
    pub named: Vec<(Tool, PathBuf)>,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// How long a plugin may take.
    pub limit: Duration,
}

/// Every client that is meant, and how far it would get.
pub async fn clients(station: &dyn Workstation, question: &ClientQuestion) -> Probed<Vec<ClientFacts>> {
    let asked: Vec<(Tool, Option<&Path>)> = if question.named.is_empty() {
        vec![(Tool::Helm, None), (Tool::Kubectl, None)]
    } else {
        question.named.iter().map(|(tool, path)| (*tool, Some(path.as_path()))).collect()
    };
    // Each runs the plugin for itself: all at the same time.
    let look = |(tool, path)| async move {
        let Some(binary) = station.client(tool, path).await? else { return Ok(None) };
        Ok(Some(one(station, question, tool, binary).await))
    };
    let seen: Result<Vec<Option<ClientFacts>>> = join_all(asked.into_iter().map(look)).await.into_iter().collect();
    let seen: Vec<ClientFacts> = match seen {
        Ok(seen) => seen.into_iter().flatten().collect(),
        Err(e) => return Probed::Unavailable(e.to_string()),
    };
    if seen.is_empty() { Probed::Absent } else { Probed::Known(seen) }
}

async fn one(station: &dyn Workstation, question: &ClientQuestion, tool: Tool, binary: ClientBinary) -> ClientFacts {
    let build = assumed(binary.build.as_ref());
    let kubeconfig = kubeconfig(station, question, tool, &build).await;
    let ClientBinary { path, version, build, build_source, shadowed } = binary;
    ClientFacts { tool, path, version, build, build_source, shadowed, kubeconfig }
}

/// Where a kubeconfig is looked for, in order: the file that is named, else those of KUBECONFIG, else that at home.
pub fn places(station: &dyn Workstation, named: Option<&Path>) -> Vec<PathBuf> {
    if let Some(file) = named {
        return vec![station.absolute(file)];
    }
    let mut files: Vec<PathBuf> = Vec::new();
    match station.variable("KUBECONFIG") {
        Some(list) => {
            for file in std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).map(|p| station.absolute(&p)) {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        None => files.push(at_home(station)),
    }
    files
}

/// The file that is taken where none is named: without a home from the working directory, and by the name that it had until 2015
/// where there is none by the newer.
fn at_home(station: &dyn Workstation) -> PathBuf {
    let folder = station.absolute(&station.home().unwrap_or_default().join(".kube"));
    let (file, older) = (folder.join("config"), folder.join(".kubeconfig"));
    let is_there = |file: &Path| matches!(station.read(file), Ok(Some(_)));
    if !is_there(&file) && is_there(&older) { older } else { file }
}

async fn kubeconfig(station: &dyn Workstation, question: &ClientQuestion, tool: Tool, build: &ClientBuild) -> KubeconfigFacts {
    let looked = places(station, question.kubeconfig.as_deref());
    let must_be_there = question.kubeconfig.is_some();
    let unloadable = |file: &Path, why: String| KubeconfigFacts::Unloadable { file: file.to_owned(), line: None, why };
    let mut sources = Vec::new();
    for file in &looked {
        match station.read(file) {
            Ok(Some(bytes)) => match text(&bytes) {
                Ok(text) => sources.push(Source { file: file.clone(), text }),
                Err(malformed) => {
                    return KubeconfigFacts::Unloadable { file: file.clone(), line: malformed.line, why: malformed.why };
                }
            },
            Ok(None) if must_be_there => return unloadable(file, NO_SUCH_FILE.into()),
            Ok(None) => {}
            Err(e) => return unloadable(file, e.to_string()),
        }
    }
    let merging = if build.joins_fields() { Merging::LastField } else { Merging::FirstEntry };
    let whole = match load(&sources, merging, &build.unknown_fields()) {
        Ok(whole) => whole,
        Err(refused) => {
            return KubeconfigFacts::Unloadable { file: refused.file, line: refused.malformed.line, why: refused.malformed.why };
        }
    };
    let own = |name: &str| if tool == Tool::Helm { station.variable(name) } else { None };
    let asked = question.context.clone().or_else(|| own("HELM_KUBECONTEXT"));
    if whole.is_empty() && asked.is_none() && own(HELM_SERVER).is_none() {
        let service_account = Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token");
        let in_cluster = station.variable("KUBERNETES_SERVICE_HOST").is_some() && matches!(station.read(service_account), Ok(Some(_)));
        let empty = sources.into_iter().map(|s| s.file).collect();
        return KubeconfigFacts::Nothing { looked, empty, in_cluster };
    }
    let readable_by_others = sources.iter().map(|s| &s.file).filter(|f| station.is_readable_by_others(f)).cloned().collect();
    let files = sources.into_iter().map(|s| s.file).collect();
    let context = asked.unwrap_or_else(|| whole.current_context.clone());
    let (mut chosen, cluster) = choose(station, &whole, &context, build, &own);
    (chosen.files, chosen.readable_by_others) = (files, readable_by_others);
    if tool == Tool::Kubectl
        && let Some(exec) = &mut chosen.exec
    {
        (exec.forbidden, exec.preferences) = forbidden(station, build, &exec.command, exec.found.as_ref().ok());
    }
    if would_run(&chosen, build)
        && let Some(user) = named(&whole.users, &chosen.user)
        && let Some((exec, facts)) = user.exec.as_ref().zip(chosen.exec.as_mut())
    {
        facts.run = Some(run(station, exec, facts, &cluster, build, question.limit).await);
    }
    let has_problem = chosen.user_problem.is_some();
    if let Some(exec) = &mut chosen.exec {
        let keys = station.variable("AWS_ACCESS_KEY_ID").is_some();
        exec.keys_go_first = keys && exec.flag(&["--profile"]).is_none();
        let named = station.variable("AWS_PROFILE");
        exec.by_flag_alone = question.profile.is_some() && (keys || question.profile != named);
        exec.profile_in_use = question.profile.clone().or_else(|| named.filter(|_| !keys));
        let refused = exec.run.as_ref().is_some_and(|run| run.refused.is_some());
        if refused || has_problem || !build.accepts(&exec.api_version) {
            exec.at_hand = at_hand(station, exec).await;
        }
    }
    KubeconfigFacts::Chosen(Box::new(chosen))
}

fn choose(
    station: &dyn Workstation,
    whole: &Kubeconfig,
    context: &str,
    build: &ClientBuild,
    own: &dyn Fn(&str) -> Option<String>,
) -> (ChosenFacts, Cluster) {
    let found = named(&whole.contexts, context);
    let mut cluster = found.and_then(|c| named(&whole.clusters, &c.cluster)).cloned().unwrap_or_default();
    // A flag or variable of the client's goes before the file, and the authority is then taken from there alone.
    let authority = own("HELM_KUBECAFILE").map(|file| station.absolute(Path::new(&file)).display().to_string());
    let insecure = build.client_go >= HELM_INSECURE && own("HELM_KUBEINSECURE_SKIP_TLS_VERIFY").is_some_and(|v| is_true(&v));
    if authority.is_some() || insecure {
        cluster.certificate_authority = authority.unwrap_or_default();
        cluster.certificate_authority_data = Vec::new();
        cluster.insecure = insecure;
    }
    let mut server_by = None;
    if let Some(server) = own(HELM_SERVER) {
        (cluster.server, server_by) = (server, Some(HELM_SERVER));
    } else if cluster.server.is_empty()
        && let Some(server) = station.variable(OLD_SERVER)
    {
        (cluster.server, server_by) = (server, Some(OLD_SERVER));
    }
    let mut user = found.and_then(|c| named(&whole.users, &c.user)).cloned().unwrap_or_default();
    if let Some(token) = own("HELM_KUBETOKEN") {
        (user.token, user.token_file) = (token, String::new());
    }
    if let Some(name) = own("HELM_KUBEASUSER") {
        user.impersonate = name;
    }
    user.impersonates_more |= own("HELM_KUBEASGROUPS").is_some();
    // A name that no entry has says more than what its entry would lack.
    let no_cluster = found
        .filter(|c| !c.cluster.is_empty() && named(&whole.clusters, &c.cluster).is_none())
        .map(|c| format!("there is no cluster `{}`, which the context names", c.cluster));
    let no_user = found
        .filter(|c| !c.user.is_empty() && named(&whole.users, &c.user).is_none())
        .map(|_| "there is no user of that name, which the context has".to_owned());
    let token = !user.token.is_empty() || !user.token_file.is_empty();
    let certificate = !user.client_certificate.is_empty() || !user.client_certificate_data.is_empty();
    let chosen = ChosenFacts {
        files: Vec::new(),
        readable_by_others: Vec::new(),
        context: context.to_owned(),
        context_is_there: context.is_empty() || found.is_some(),
        cluster_problem: cluster_problem(station, &cluster).map(|why| no_cluster.unwrap_or_else(|| masked(&why))),
        server: masked(&cluster.server),
        server_by: server_by.map(str::to_owned),
        tls_server_name: Some(cluster.tls_server_name.clone()).filter(|name| !name.is_empty()),
        proxy: Some(masked(&cluster.proxy_url)).filter(|proxy| !proxy.is_empty()),
        user: found.map(|c| c.user.clone()).unwrap_or_default(),
        shared_with: found.map(|c| others(&whole.contexts, context, &c.user)).unwrap_or_default(),
        user_file: user.exec.is_some().then(|| user.file.clone()),
        user_problem: user_problem(station, &user).map(|why| no_user.unwrap_or_else(|| masked(&why))),
        token,
        certificate,
        beside: beside(&user),
        exec: user.exec.as_ref().map(|exec| exec_facts(station, exec, build)),
    };
    (chosen, cluster)
}

/// The fields of an entry that give a token or a certificate. What helm's own variable gives is none of them.
fn beside(user: &User) -> Vec<String> {
    let of_token = [("token", !user.token.is_empty()), ("tokenFile", !user.token_file.is_empty())];
    let of_certificate = [
        ("client-certificate", !user.client_certificate.is_empty()),
        ("client-certificate-data", !user.client_certificate_data.is_empty()),
        ("client-key", !user.client_key.is_empty()),
        ("client-key-data", !user.client_key_data.is_empty()),
    ];
    of_token.into_iter().chain(of_certificate).filter(|(_, given)| *given).map(|(field, _)| field.to_owned()).collect()
}

/// The other contexts of a user.
fn others(contexts: &[(String, Context)], context: &str, user: &str) -> Vec<String> {
    contexts.iter().filter(|(name, of)| name != context && of.user == user).map(|(name, _)| name.clone()).collect()
}

/// The variable by which helm is told its API server.
const HELM_SERVER: &str = "HELM_KUBEAPISERVER";
/// The variable by which every client was once told it, and still is where a kubeconfig names none.
const OLD_SERVER: &str = "KUBERNETES_MASTER";
/// The client-go of the first helm that knew `HELM_KUBEINSECURE_SKIP_TLS_VERIFY`.
const HELM_INSECURE: u16 = 25;

fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// The profile that the entry names: `--profile` goes before the variable.
fn pinned_profile(exec: &Exec) -> Option<String> {
    let at = exec.args.iter().position(|word| word == "--profile");
    let by_flag = at.and_then(|at| exec.args.get(at + 1)).cloned();
    let joined = || exec.args.iter().find_map(|word| word.strip_prefix("--profile=")).map(str::to_owned);
    let by_variable = || exec.env.iter().rev().find(|(name, _)| name == "AWS_PROFILE").map(|(_, value)| value.clone());
    by_flag.or_else(joined).or_else(by_variable).filter(|profile| !profile.is_empty())
}

fn exec_facts(station: &dyn Workstation, exec: &Exec, build: &ClientBuild) -> ExecFacts {
    ExecFacts {
        api_version: exec.api_version.clone(),
        line: exec.line,
        command: exec.command.clone(),
        args: masked_args(&exec.args),
        profile: pinned_profile(exec),
        env: exec.env.iter().map(|(name, _)| name.clone()).collect(),
        interactive_mode: exec.interactive_mode.clone(),
        terminal: station.has_terminal(build.looks_for_terminal_at()),
        found: station.find(&exec.command, build.runs_from_relative_path()),
        forbidden: None,
        preferences: None,
        profile_in_use: None,
        by_flag_alone: false,
        keys_go_first: false,
        profile_account: Probed::NotAsked,
        at_hand: Vec::new(),
        run: None,
    }
}

/// Whether the plugin would be asked at all: another credential goes before it, or a refusal comes first.
fn would_run(chosen: &ChosenFacts, build: &ClientBuild) -> bool {
    let Some(exec) = &chosen.exec else { return false };
    chosen.context_is_there
        && chosen.cluster_problem.is_none()
        && chosen.user_problem.is_none()
        && is_asked(chosen.token, chosen.certificate, build)
        && build.accepts(&exec.api_version)
        && build.mode_problem(&exec.interactive_mode, exec.terminal).is_none()
        && exec.env.iter().all(|name| !name.is_empty())
        && exec.found.is_ok()
        && exec.forbidden.is_none()
}

async fn run(
    station: &dyn Workstation,
    exec: &Exec,
    facts: &ExecFacts,
    cluster: &Cluster,
    build: &ClientBuild,
    limit: Duration,
) -> PluginRun {
    let interactive = facts.terminal && facts.interactive_mode != "Never";
    let told = exec.provide_cluster_info.then(|| cluster_info(station, cluster));
    let request = credential::request(&exec.api_version, interactive, build, told.as_ref());
    let mut env = exec.env.clone();
    env.push((EXEC_INFO.to_owned(), request));
    let file = facts.found.clone().unwrap_or_default();
    let ended = station.run_plugin(&PluginCall { file, args: exec.args.clone(), env, interactive, limit }).await;
    let stderr = shown(&without_values(&ended.stderr, &exec.env));
    if let Some(how) = ended.ended {
        return PluginRun { ended: Some(how), api_version: None, refused: None, stderr };
    }
    let judged = credential::judge(&ended.stdout, &exec.api_version, build);
    PluginRun { ended: None, api_version: judged.api_version, refused: judged.refused, stderr }
}

fn cluster_info(station: &dyn Workstation, cluster: &Cluster) -> Value {
    let authority = match cluster.certificate_authority.as_str() {
        "" => cluster.certificate_authority_data.clone(),
        file => station.read(Path::new(file)).ok().flatten().unwrap_or_default(),
    };
    let authority = base64::engine::general_purpose::STANDARD.encode(authority);
    let mut told = json!({"server": cluster.server, "config": cluster.exec_config});
    let mut tell = |name: &str, value: Value| told[name] = value;
    for (name, text) in
        [("tls-server-name", &cluster.tls_server_name), ("certificate-authority-data", &authority), ("proxy-url", &cluster.proxy_url)]
    {
        if !text.is_empty() {
            tell(name, text.as_str().into());
        }
    }
    for (name, flag) in [("insecure-skip-tls-verify", cluster.insecure), ("disable-compression", cluster.disable_compression)] {
        if flag {
            tell(name, true.into());
        }
    }
    told
}

/// Variables whose values are no secrets, and say what a complaint is about.
const TOLD: [&str; 5] = ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_STS_REGIONAL_ENDPOINTS"];
/// Shorter values would be found in ordinary words.
const SHORTEST: usize = 4;

/// A complaint without what the kubeconfig gives the plugin in variables: whatever that is, nobody else is to see it.
fn without_values(text: &str, env: &[(String, String)]) -> String {
    let given = env.iter().filter(|(name, value)| !TOLD.contains(&name.as_str()) && value.len() >= SHORTEST);
    given.fold(text.to_owned(), |text, (_, value)| text.replace(value, "…"))
}

/// The most lines of a plugin's complaint that are kept.
const LINES: usize = 5;

/// The first lines of a complaint, without what may be a secret.
fn shown(text: &str) -> Vec<String> {
    let clean = crate::error::clean(&masked(text));
    clean.lines().filter(|l| !l.trim().is_empty()).take(LINES).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{shown, without_values};

    #[test]
    fn no_secret_is_shown() {
        let token = format!("k8s-aws-v1.{}", "aHR0cHM6".repeat(8));
        let text = format!("warning: x\ntoken {token} end\n\nsee https://docs.example.invalid/a/long/page/that/explains/it\n");
        assert_eq!(shown(&text), ["warning: x", "token … end", "see https://docs.example.invalid/a/long/page/that/explains/it"]);
    }

    #[test]
    fn what_a_variable_holds_is_not_shown() {
        let env = [("AWS_PROFILE", "prod"), ("VAULT_PIN", "hunter7"), ("N", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(without_values("profile prod: hunter7 is wrong, 1 try left", &env), "profile prod: … is wrong, 1 try left");
    }
}
