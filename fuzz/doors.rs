//! The doors by which foreign text comes in. None may panic or hang, and none may let a control character through to a terminal,
//! whatever comes. The fuzz targets and the property tests in `tests/it/inputs.rs` go through the same ones.

#[path = "kube_answers.rs"]
mod kube_answers;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use karpctl::adapters::{eksctl, helm};
use karpctl::error::{Error, clean};
use karpctl::knowledge::{ClientBuild, KubernetesVersion, Release, ToolVersion};
use karpctl::kubeconfig::{Merging, Source, answer_tree, load, set_exec_api_version};
use karpctl::ports::{HelmInstall, Origin};
use karpctl::secret::masked_lines;
use karpctl::spec::{
    AccountId, AmiAlias, Arn, ChartDigest, ClusterName, Namespace, ObjectName, Partition, Region, SecurityGroupId, SubnetId,
};
pub(crate) use kube_answers::kube_answers;
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// A door, by its name.
pub(crate) type Door = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const DOORS: [Door; 8] = [
    ("spec", spec),
    ("kubeconfig", kubeconfig),
    ("plugin_answer", plugin_answer),
    ("names", names),
    ("tool_output", tool_output),
    ("foreign_text", foreign_text),
    ("helm_release", helm_release),
    ("kube_answers", kube_answers),
];

/// A spec file.
pub(crate) fn spec(data: &[u8]) {
    if let Err(error) = karpctl::spec::file::parse("karpctl.yaml", &text(data)) {
        is_shown_safely(&error);
    }
}

/// What nobody may be shown, whatever stands around it.
const CANARY: &str = "canary-7c1f";

#[track_caller]
fn is_not_told<T: Debug>(said: &T) {
    let said = format!("{said:?}");
    assert!(!said.contains(CANARY), "{said}");
}

/// A kubeconfig, alone and joined with itself, and the edit that mends one; with secrets before and behind what comes.
pub(crate) fn kubeconfig(data: &[u8]) {
    let text = text(data);
    let env = format!("[{{name: PIN, value: {CANARY}}}]");
    let secrets = format!("users:\n- name: s\n  user:\n    token: {CANARY}\n    client-key-data: {CANARY}\n    exec:\n      env: {env}\n");
    for text in [format!("{secrets}{text}"), format!("{text}\n{secrets}")] {
        is_not_told(&load(&[Source { file: "/config".into(), text: text.clone() }], Merging::FirstEntry, &[]).err());
        is_not_told(&masked_lines(&text));
    }
    let source = Source { file: "/config".into(), text: text.clone() };
    for merging in [Merging::FirstEntry, Merging::LastField] {
        let _ = load(&[source.clone(), source.clone()], merging, &[]);
    }
    if let Ok(Some(edited)) = set_exec_api_version(&text, "u", "client.authentication.k8s.io/v1beta1") {
        let _ = format!("{edited:?}");
    }
}

/// The answer of a credential plugin, as an old and a new client judge it.
pub(crate) fn plugin_answer(data: &[u8]) {
    for client_go in [18, 24, 35] {
        let client = ClientBuild { client_go, go: None, mergo: None };
        for configured in
            ["client.authentication.k8s.io/v1alpha1", "client.authentication.k8s.io/v1beta1", "client.authentication.k8s.io/v1"]
        {
            let _ = karpctl::credential::judge(data, configured, &client);
            let head = format!(r#"{{"apiVersion":"{configured}","kind":"ExecCredential","status":{{"token":"{CANARY}""#);
            for answer in [[head.as_bytes(), data].concat(), [head.as_bytes(), b"}}", data].concat()] {
                is_not_told(&karpctl::credential::judge(&answer, configured, &client));
            }
        }
    }
    let _ = answer_tree(&text(data));
}

/// Names, ARNs and versions: what is taken is written as it was read, or reads the same again.
pub(crate) fn names(data: &[u8]) {
    let text = text(data);
    again::<Arn>(&text);
    again::<ClusterName>(&text);
    again::<Region>(&text);
    again::<AccountId>(&text);
    again::<Partition>(&text);
    again::<Namespace>(&text);
    again::<ObjectName>(&text);
    again::<SubnetId>(&text);
    again::<SecurityGroupId>(&text);
    again::<AmiAlias>(&text);
    again::<ChartDigest>(&text);
    again::<Release>(&text);
    again::<KubernetesVersion>(&text);
    again::<ToolVersion>(&text);
}

/// What helm and eksctl print.
pub(crate) fn tool_output(data: &[u8]) {
    let lines: Vec<String> = text(data).lines().map(str::to_owned).collect();
    for line in &lines {
        let _ = eksctl::plain_line(line);
    }
    is_shown_safely(&eksctl::explain("cannot create the cluster", &lines));
    let install = HelmInstall {
        release: "karpenter".into(),
        namespace: "kube-system".into(),
        chart: "oci://public.ecr.aws/karpenter/karpenter".into(),
        version: "1.14.1".into(),
        origin: Origin::Any,
        values: serde_json::Value::Null,
        skip_crds: true,
        take_ownership: false,
        goes_on: false,
        wait: None,
    };
    is_shown_safely(&helm::explain_install("cannot install the chart", &install, &lines));
    is_shown_safely(&helm::explain_uninstall("cannot uninstall", "karpenter", "kube-system", &lines));
}

/// Any foreign text that is to be shown.
pub(crate) fn foreign_text(data: &[u8]) {
    let shown = clean(&text(data));
    assert!(is_safe(&shown), "{shown:?}");
    assert!(shown.chars().count() < 2_100, "it is cut");
}

/// helm's Secret of a release: what is packed into it, and what is no packing at all.
pub(crate) fn helm_release(data: &[u8]) {
    for release in [STANDARD.encode(STANDARD.encode(data)), STANDARD.encode(data), text(data)] {
        let secret = serde_json::json!({"type": "helm.sh/release.v1", "data": {"release": release}});
        match karpctl::probe::helm_release(&secret, 1) {
            Err(error) => is_shown_safely(&error),
            Ok(release) => assert_eq!(release.revision, 1, "it is the one that was asked for"),
        }
    }
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn again<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        let written = read.to_string();
        assert!(is_safe(&written), "{written:?}");
        assert_eq!(written.parse::<T>().ok().as_ref(), Some(&read), "{text:?} is written as {written:?}");
    }
}

fn is_safe(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control())
}

fn is_shown_safely(error: &Error) {
    for said in error.causes.iter().chain(&error.hints).chain(std::iter::once(&error.message)) {
        assert!(is_safe(said), "{said:?}");
    }
}
