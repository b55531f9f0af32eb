//! The Kubernetes clients on this machine: the kubeconfig as each of them reads it, and its credential plugin run as each runs it.

use crate::credential;
use crate::facts::{ChosenFacts, ClientFacts, ExecFacts, KubeconfigFacts, PluginRun, Probed};
use crate::knowledge::exec::{assumed, is_asked};
use crate::knowledge::{ClientBuild, Tool};
use crate::kubeconfig::{Cluster, Exec, Kubeconfig, Merging, Source, User, load, named, pair_problem};
use crate::ports::{ClientBinary, PluginCall, Workstation};
use base64::Engine as _;
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
    let mut seen = Vec::new();
    for (tool, path) in asked {
        match station.client(tool, path).await {
            Ok(None) => {}
            Ok(Some(binary)) => seen.push(one(station, question, tool, binary).await),
            Err(e) => return Probed::Unavailable(e.to_string()),
        }
    }
    if seen.is_empty() { Probed::Absent } else { Probed::Known(seen) }
}

async fn one(station: &dyn Workstation, question: &ClientQuestion, tool: Tool, binary: ClientBinary) -> ClientFacts {
    let build = assumed(binary.build.as_ref());
    let kubeconfig = kubeconfig(station, question, tool, &build).await;
    let ClientBinary { path, version, build, build_source, shadowed } = binary;
    ClientFacts { tool, path, version, build, build_source, shadowed, kubeconfig }
}

/// Where a kubeconfig is looked for, and whether it must be there.
fn places(station: &dyn Workstation, question: &ClientQuestion) -> (Vec<PathBuf>, bool) {
    if let Some(file) = &question.kubeconfig {
        return (vec![station.absolute(file)], true);
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
        None => files.extend(station.home().map(|home| home.join(".kube/config"))),
    }
    (files, false)
}

async fn kubeconfig(station: &dyn Workstation, question: &ClientQuestion, tool: Tool, build: &ClientBuild) -> KubeconfigFacts {
    let (looked, must_be_there) = places(station, question);
    let unloadable = |file: &Path, why: String| KubeconfigFacts::Unloadable { file: file.to_owned(), line: None, why };
    let mut sources = Vec::new();
    for file in &looked {
        match station.read(file) {
            Ok(Some(bytes)) => sources.push(Source { file: file.clone(), text: String::from_utf8_lossy(&bytes).into_owned() }),
            Ok(None) if must_be_there => return unloadable(file, "no such file or directory".into()),
            Ok(None) => {}
            Err(e) => return unloadable(file, e.to_string()),
        }
    }
    let merging = if build.joins_fields() { Merging::LastField } else { Merging::FirstEntry };
    let whole = match load(&sources, merging) {
        Ok(whole) => whole,
        Err(refused) => {
            return KubeconfigFacts::Unloadable { file: refused.file, line: refused.malformed.line, why: refused.malformed.why };
        }
    };
    let own = |name: &str| if tool == Tool::Helm { station.variable(name) } else { None };
    let asked = question.context.clone().or_else(|| own("HELM_KUBECONTEXT"));
    if whole.is_empty() && asked.is_none() && own("HELM_KUBEAPISERVER").is_none() {
        let service_account = Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token");
        let in_cluster = station.variable("KUBERNETES_SERVICE_HOST").is_some() && matches!(station.read(service_account), Ok(Some(_)));
        return KubeconfigFacts::Nothing { looked, in_cluster };
    }
    let readable_by_others = sources.iter().map(|s| &s.file).filter(|f| station.is_readable_by_others(f)).cloned().collect();
    let files = sources.into_iter().map(|s| s.file).collect();
    let context = asked.unwrap_or_else(|| whole.current_context.clone());
    let mut chosen = choose(station, &whole, &context, build, &own);
    (chosen.files, chosen.readable_by_others) = (files, readable_by_others);
    if would_run(&chosen, build)
        && let Some(user) = named(&whole.users, &chosen.user)
        && let Some((exec, facts)) = user.exec.as_ref().zip(chosen.exec.as_mut())
    {
        let cluster = named(&whole.contexts, &context).and_then(|c| named(&whole.clusters, &c.cluster));
        facts.run = Some(run(station, exec, facts, cluster, build, question.limit).await);
    }
    KubeconfigFacts::Chosen(Box::new(chosen))
}

fn choose(
    station: &dyn Workstation,
    whole: &Kubeconfig,
    context: &str,
    build: &ClientBuild,
    own: &dyn Fn(&str) -> Option<String>,
) -> ChosenFacts {
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
    if let Some(server) = own("HELM_KUBEAPISERVER") {
        cluster.server = server;
    }
    let mut user = found.and_then(|c| named(&whole.users, &c.user)).cloned().unwrap_or_default();
    if let Some(token) = own("HELM_KUBETOKEN") {
        (user.token, user.token_file) = (token, String::new());
    }
    let token = !user.token.is_empty() || !user.token_file.is_empty();
    let certificate = !user.client_certificate.is_empty() || !user.client_certificate_data.is_empty();
    ChosenFacts {
        files: Vec::new(),
        readable_by_others: Vec::new(),
        context: context.to_owned(),
        context_is_there: context.is_empty() || found.is_some(),
        cluster_problem: cluster_problem(station, &cluster),
        server: cluster.server,
        user: found.map(|c| c.user.clone()).unwrap_or_default(),
        user_file: user.exec.is_some().then(|| user.file.clone()),
        user_problem: user_problem(station, &user),
        token,
        certificate,
        exec: user.exec.as_ref().map(|exec| exec_facts(station, exec, build)),
    }
}

/// The client-go of the first helm that knew `HELM_KUBEINSECURE_SKIP_TLS_VERIFY`.
const HELM_INSECURE: u16 = 25;

fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn cluster_problem(station: &dyn Workstation, cluster: &Cluster) -> Option<String> {
    let (file, data) = (&cluster.certificate_authority, &cluster.certificate_authority_data);
    if cluster.server.is_empty() {
        return Some("it names no API server, and the client then asks http://localhost:8080".into());
    }
    if !file.is_empty() && !data.is_empty() {
        return Some("certificate-authority-data and certificate-authority are both specified".into());
    }
    let authority = if file.is_empty() {
        data.clone()
    } else {
        match station.read(Path::new(file)) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Some(format!("unable to read certificate-authority {file}: no such file or directory")),
            Err(e) => return Some(format!("unable to read certificate-authority {file}: {e}")),
        }
    };
    let has_authority = !file.is_empty() || !data.is_empty();
    if has_authority && cluster.insecure {
        return Some("specifying a root certificates file with the insecure flag is not allowed".into());
    }
    let Some(rest) = cluster.server.strip_prefix("https://") else {
        let form = if cluster.server.contains("://") { "is not an https URL" } else { "has no https:// before it" };
        return Some(format!("the API server `{}` {form}: over plain http no plugin is run and no credential is sent", cluster.server));
    };
    if cluster.server.parse::<http::Uri>().ok().and_then(|u| u.host().map(str::to_owned)).is_none_or(|host| host.is_empty()) {
        return Some(format!("host must be a URL or a host:port pair: \"https://{rest}\""));
    }
    if !cluster.proxy_url.is_empty() && !["http://", "https://", "socks5://"].iter().any(|s| cluster.proxy_url.starts_with(s)) {
        return Some("its proxy-url has a scheme other than http, https and socks5".into());
    }
    let readable = String::from_utf8_lossy(&authority).contains("-----BEGIN CERTIFICATE-----");
    (has_authority && !readable).then(|| "unable to load root certificates: there is no certificate in the cluster's authority".into())
}

fn user_problem(station: &dyn Workstation, user: &User) -> Option<String> {
    if let Some(provider) = &user.auth_provider {
        return Some(match user.exec {
            Some(_) => "authProvider cannot be provided in combination with an exec plugin".into(),
            None => format!("the auth provider `{provider}` is no way into EKS, and newer clients have none"),
        });
    }
    if user.impersonates_more && user.impersonate.is_empty() {
        return Some("requesting uid, groups or user-extra without impersonating a user".into());
    }
    if !user.username.is_empty() {
        return Some("it has a username, which goes before every other credential, and EKS takes no password".into());
    }
    if !user.token_file.is_empty() {
        match station.read(Path::new(&user.token_file)) {
            Ok(Some(bytes)) if bytes.iter().any(|b| !b.is_ascii_whitespace()) => {}
            Ok(Some(_)) => return Some(format!("read empty token from file \"{}\"", user.token_file)),
            Ok(None) => return Some(format!("open {}: no such file or directory", user.token_file)),
            Err(e) => return Some(format!("open {}: {e}", user.token_file)),
        }
    } else if let Some(problem) = credential::token_problem(&user.token) {
        return Some(problem);
    }
    if !user.client_certificate.is_empty() || !user.client_certificate_data.is_empty() {
        return certificate_problem(station, user);
    }
    let none = user.exec.is_none() && user.token.is_empty() && user.token_file.is_empty();
    none.then(|| "the context's user has no credential at all".into())
}

fn certificate_problem(station: &dyn Workstation, user: &User) -> Option<String> {
    if !user.client_certificate.is_empty() && !user.client_certificate_data.is_empty() {
        return Some("client-cert-data and client-cert are both specified".into());
    }
    if !user.client_key.is_empty() && !user.client_key_data.is_empty() {
        return Some("client-key-data and client-key are both specified".into());
    }
    if user.client_key.is_empty() && user.client_key_data.is_empty() {
        return Some("client-key-data or client-key must be specified to use the clientCert authentication method".into());
    }
    let bytes = |file: &str, data: &[u8]| {
        if file.is_empty() {
            return Ok(data.to_vec());
        }
        match station.read(Path::new(file)) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(format!("unable to read {file}: no such file or directory")),
            Err(e) => Err(format!("unable to read {file}: {e}")),
        }
    };
    match (bytes(&user.client_certificate, &user.client_certificate_data), bytes(&user.client_key, &user.client_key_data)) {
        (Ok(certificate), Ok(key)) => pair_problem(&certificate, &key).map(|why| format!("tls: {why}")),
        (Err(why), _) | (_, Err(why)) => Some(why),
    }
}

fn exec_facts(station: &dyn Workstation, exec: &Exec, build: &ClientBuild) -> ExecFacts {
    ExecFacts {
        api_version: exec.api_version.clone(),
        line: exec.line,
        command: exec.command.clone(),
        args: exec.args.clone(),
        profile: exec.env.iter().rev().find(|(name, _)| name == "AWS_PROFILE").map(|(_, value)| value.clone()),
        env: exec.env.iter().map(|(name, _)| name.clone()).collect(),
        interactive_mode: exec.interactive_mode.clone(),
        terminal: station.has_terminal(),
        found: station.find(&exec.command, build.runs_from_relative_path()),
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
}

async fn run(
    station: &dyn Workstation,
    exec: &Exec,
    facts: &ExecFacts,
    cluster: Option<&Cluster>,
    build: &ClientBuild,
    limit: Duration,
) -> PluginRun {
    let interactive = facts.terminal && facts.interactive_mode != "Never";
    let told = cluster.filter(|_| exec.provide_cluster_info).map(|c| cluster_info(station, c));
    let request = credential::request(&exec.api_version, build.knows_interactive_mode().then_some(interactive), told.as_ref());
    let mut env = exec.env.clone();
    env.push((crate::token::EXEC_INFO.to_owned(), request));
    let file = facts.found.clone().unwrap_or_default();
    let ended = station.run_plugin(&PluginCall { file, args: exec.args.clone(), env, interactive, limit }).await;
    let stderr = shown(&ended.stderr);
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
    json!({"server": cluster.server, "certificate-authority-data": authority, "config": null})
}

/// The most lines of a plugin's complaint that are kept.
const LINES: usize = 5;
/// From this length on a word may be a secret.
const SECRET: usize = 40;

/// The first lines of a complaint, without what may be a secret.
fn shown(text: &str) -> Vec<String> {
    let masked = |word: &str| {
        let secret = word.contains("k8s-aws-v1.") || word.len() >= SECRET && !word.starts_with(['/', '.']) && !word.contains("://");
        if secret { "…".to_owned() } else { word.to_owned() }
    };
    let clean = crate::error::clean(text);
    let line = |line: &str| line.split(' ').map(masked).collect::<Vec<_>>().join(" ");
    clean.lines().filter(|l| !l.trim().is_empty()).take(LINES).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn no_secret_is_shown() {
        let token = format!("k8s-aws-v1.{}", "aHR0cHM6".repeat(8));
        let text = format!("warning: x\ntoken {token} end\n\nsee https://docs.example.invalid/a/long/page/that/explains/it\n");
        assert_eq!(shown(&text), ["warning: x", "token … end", "see https://docs.example.invalid/a/long/page/that/explains/it"]);
    }
}
