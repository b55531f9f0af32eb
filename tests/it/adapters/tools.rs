//! helm and eksctl, as scripts that tell what they were given.

use super::{in_child, karpenter, runtime, script};
use karpctl::adapters::aws::AwsSettings;
use karpctl::adapters::eksctl::EksctlCli;
use karpctl::adapters::helm::HelmCli;
use karpctl::error::{Error, ErrorKind};
use karpctl::ports::{ClusterAccess, Eksctl, Helm, HelmAccess, HelmInstall, Origin};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tokio_util::sync::CancellationToken;

fn helm(program: PathBuf) -> HelmCli {
    let aws = AwsSettings { region: Some("us-west-2".into()), profile: Some("work".into()) };
    HelmCli { program, karpctl: "/opt/karpctl".into(), aws, versions: karpctl::adapters::Versions::default() }
}

fn eks() -> HelmAccess {
    let cluster =
        ClusterAccess::Eks { name: "demo".into(), endpoint: "https://demo.eks.test".into(), certificate_authority: "Q0E=".into() };
    HelmAccess { cluster, registry_config: None }
}

/// A helm that copies what it is given into `dir`, says `ending`, and fails or not.
fn fake_helm(dir: &Path, version: &str, help: &str, ending: &str) -> HelmCli {
    let dir_text = dir.display();
    let body = format!(
        r#"case "$1" in
version) echo {version}; exit ;;
upgrade) [ "$2" = --help ] && {{ echo '{help}'; exit; }} ;;
esac
printf '%s\n' "$@" > {dir_text}/args
env > {dir_text}/env
prev=
for arg in "$@"; do
  case "$prev" in
  --kubeconfig) cp "$arg" {dir_text}/kubeconfig; stat -c '%a' "$arg" "$(dirname "$arg")" > {dir_text}/modes; dirname "$arg" > {dir_text}/where ;;
  --values) cp "$arg" {dir_text}/values; stat -c '%a' "$arg" >> {dir_text}/modes ;;
  esac
  prev=$arg
done
cat "$HELM_REGISTRY_CONFIG" > {dir_text}/registry
ls -A "$DOCKER_CONFIG" > {dir_text}/docker
{ending}"#
    );
    helm(script(dir, "helm", &body))
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

fn install(helm: &HelmCli, access: &HelmAccess, install: &HelmInstall) -> Result<(), Error> {
    runtime().block_on(helm.install(access, install, &|_| {}, &CancellationToken::new()))
}

#[test]
fn helm_is_given_a_private_kubeconfig_that_is_gone_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    for (ending, ok) in [("exit 0", true), ("echo 'Error: no'; exit 1", false)] {
        let helm = fake_helm(dir.path(), "v3.17.3", "--plain-http", ending);
        assert_eq!(install(&helm, &eks(), &karpenter()).is_ok(), ok);
        assert_eq!(read(dir.path(), "modes"), "600\n700\n600\n");
        assert!(!Path::new(read(dir.path(), "where").trim()).exists());
        let kubeconfig: Value = serde_json::from_str(&read(dir.path(), "kubeconfig")).unwrap();
        assert_eq!(
            kubeconfig["users"][0]["user"]["exec"],
            json!({
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": "/opt/karpctl",
                "args": ["token", "--cluster-name", "demo", "--region", "us-west-2", "--profile", "work"],
                "provideClusterInfo": false,
                "interactiveMode": "Never",
            })
        );
        assert_eq!(kubeconfig["clusters"][0]["cluster"], json!({"server": "https://demo.eks.test", "certificate-authority-data": "Q0E="}));
        assert_eq!(serde_json::from_str::<Value>(&read(dir.path(), "values")).unwrap(), karpenter().values);
        assert_eq!((read(dir.path(), "registry"), read(dir.path(), "docker")), ("{}".to_owned(), String::new()));
    }
}

#[test]
fn helm_is_told_what_to_install() {
    let dir = tempfile::tempdir().unwrap();
    let helm = fake_helm(dir.path(), "v3.17.3", "--plain-http --take-ownership", "exit 0");
    install(&helm, &eks(), &karpenter()).unwrap();
    let where_ = read(dir.path(), "where").trim().to_owned();
    let args = read(dir.path(), "args").replace(&where_, "DIR").lines().collect::<Vec<_>>().join(" ");
    assert_eq!(
        args,
        "--kubeconfig DIR/kubeconfig upgrade --install karpenter oci://public.ecr.aws/karpenter/karpenter --version 1.14.1 \
         --namespace kube-system --create-namespace --history-max 10 --reset-values --values DIR/values.json --skip-crds --wait --timeout 300s"
    );
    assert!(read(dir.path(), "env").contains(&format!("KUBECONFIG={where_}/kubeconfig")));

    let local = HelmInstall {
        chart: "oci://127.0.0.1:5055/karpenter/karpenter".into(),
        take_ownership: true,
        skip_crds: false,
        wait: None,
        ..karpenter()
    };
    install(&helm, &eks(), &local).unwrap();
    assert!(read(dir.path(), "args").ends_with("values.json\n--take-ownership\n--plain-http\n"));

    // A kubeconfig of the person's own is used as it is.
    let cluster = ClusterAccess::Kubeconfig { path: Some(dir.path().join("theirs")), context: Some("prod".into()) };
    std::fs::write(dir.path().join("theirs"), "{}").unwrap();
    install(&helm, &HelmAccess { cluster, registry_config: None }, &karpenter()).unwrap();
    assert!(
        read(dir.path(), "args").starts_with(&format!("--kubeconfig\n{}/theirs\n--kube-context\nprod\nupgrade\n", dir.path().display()))
    );
}

const DIGEST: &str = "sha256:66b5c34f093b8c62f841f6619fccaa62e463857f36cc36da27a3f76971be4226";

/// A helm that pulls a chart of [`DIGEST`], and a folder for PATH.
fn pulling_helm(dir: &Path) -> HelmCli {
    let body = format!(
        r#"case "$*" in
"upgrade --help") exit ;;
"version "*) echo v3.17.3; exit ;;
"pull "*) for folder; do :; done; touch "$folder/karpenter.tgz"; echo "Pulled: it"; echo "Digest: {DIGEST}"; exit ;;
esac
printf '%s\n' "$@" > {}/args"#,
        dir.display()
    );
    helm(script(dir, "helm", &body))
}

#[test]
fn a_chart_is_held_to_its_digest_and_what_was_looked_at_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    let helm = pulling_helm(dir.path());
    let held_to = |digest: &str| HelmInstall { origin: Origin::Digest(digest.parse().unwrap()), ..karpenter() };
    install(&helm, &eks(), &held_to(DIGEST)).unwrap();
    let args = read(dir.path(), "args");
    assert!(args.contains("/chart/karpenter.tgz\n--namespace") && !args.contains("oci://") && !args.contains("--version"), "{args}");

    std::fs::remove_file(dir.path().join("args")).unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    let error = install(&helm, &eks(), &held_to(&other)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.causes[0].contains(DIGEST) && error.causes[0].contains(&other), "{error:?}");
    assert!(!dir.path().join("args").exists(), "nothing is installed");
}

#[test]
fn where_cosign_is_there_the_signature_is_verified() {
    let made = tempfile::tempdir().unwrap();
    let path = format!("{}:/usr/bin:/bin", made.path().display());
    let own = [("PATH", path.as_str()), ("DOCKER_CONFIG", "/own"), ("REGISTRY_AUTH_FILE", "/own.json"), ("XDG_RUNTIME_DIR", "/run/own")];
    if !in_child(module_path!(), "where_cosign_is_there_the_signature_is_verified", &own) {
        return;
    }
    let path = std::env::var("PATH").unwrap();
    let dir = PathBuf::from(path.split(':').next().unwrap());
    let helm = pulling_helm(&dir);
    let signed = HelmInstall { origin: Origin::SignedAt("v1.14.1".into()), ..karpenter() };
    install(&helm, &eks(), &signed).unwrap();
    assert!(read(&dir, "args").contains("oci://"), "without cosign helm pulls by itself");

    script(
        &dir,
        "cosign",
        &format!(
            "printf '%s\\n' \"$@\" > {0}/cosign-args; env > {0}/cosign-env; ls -A \"$DOCKER_CONFIG\" > {0}/cosign-docker; [ -e {0}/signed ] || {{ echo 'no signatures found' >&2; exit 1; }}",
            dir.display()
        ),
    );
    std::fs::remove_file(dir.join("args")).unwrap();
    let error = install(&helm, &eks(), &signed).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.causes[0].ends_with("no signatures found"), "{error:?}");
    assert!(!dir.join("args").exists(), "nothing is installed");

    std::fs::write(dir.join("signed"), "").unwrap();
    install(&helm, &eks(), &signed).unwrap();
    let asked = read(&dir, "cosign-args").lines().collect::<Vec<_>>().join(" ");
    assert!(asked.starts_with(&format!("verify public.ecr.aws/karpenter/karpenter@{DIGEST} ")), "{asked}");
    assert!(asked.ends_with("refs/tags/v1.14.1 --annotations version=1.14.1"), "{asked}");
    assert!(read(&dir, "args").contains("/chart/karpenter.tgz"));
    // An expired log-in of this person's would be refused where none is needed.
    let env = read(&dir, "cosign-env");
    let private = |line: &str| line.strip_prefix("DOCKER_CONFIG=").is_some_and(|folder| folder.contains("/karpctl-"));
    let theirs = |line: &str| ["=/own", "=/own.json", "=/run/own"].iter().any(|value| line.ends_with(value));
    assert!(env.lines().any(private) && !env.lines().any(theirs), "{env}");
    assert_eq!(read(&dir, "cosign-docker"), "");
}

#[test]
fn an_old_helm_is_not_asked_for_what_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let helm = fake_helm(dir.path(), "v3.8.1", "--wait", "exit 0");
    let error = install(&helm, &eks(), &HelmInstall { take_ownership: true, ..karpenter() }).unwrap_err();
    assert_eq!((error.kind, error.hints), (ErrorKind::Tool, vec!["install helm 3.17 or newer".to_owned()]));
    let local = HelmInstall { chart: "oci://localhost:5055/karpenter/karpenter".into(), ..karpenter() };
    install(&helm, &eks(), &local).unwrap();
    assert!(!read(dir.path(), "args").contains("--plain-http"));
}

/// From 4.0 on helm works on the server's side, where what others wrote is a conflict: not of a release that is there.
#[test]
fn a_release_that_is_there_is_changed_as_helm_3_does_it() {
    let dir = tempfile::tempdir().unwrap();
    for (version, help, goes_on, take_ownership, told) in [
        ("v4.2.3", "--take-ownership --server-side", true, false, &["--server-side=false"][..]),
        ("v4.2.3", "--take-ownership --server-side", true, true, &["--server-side=false"]),
        ("v4.2.3", "--take-ownership --server-side", false, true, &["--force-conflicts"]),
        ("v4.2.3", "--take-ownership --server-side", false, false, &[]),
        ("v3.17.3", "--take-ownership", true, true, &[]),
    ] {
        let helm = fake_helm(dir.path(), version, help, "exit 0");
        install(&helm, &eks(), &HelmInstall { goes_on, take_ownership, ..karpenter() }).unwrap();
        let args = read(dir.path(), "args");
        let of_conflicts = |arg: &&str| arg.starts_with("--server-side") || arg.starts_with("--force");
        assert_eq!(args.lines().filter(of_conflicts).collect::<Vec<_>>(), told, "{version} {goes_on} {take_ownership}: {args}");
    }
}

#[test]
fn what_an_old_helm_keeps_to_itself_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let ending = r#"case " $* " in
*' pull '*) echo 'Error: pulling from host public.ecr.aws failed with status code [manifests 1.14.1]: 403 Forbidden' >&2; exit 1 ;;
esac
echo 'Error: failed to download "oci://public.ecr.aws/karpenter/karpenter" at version "1.14.1"' >&2; exit 1"#;
    let error = install(&fake_helm(dir.path(), "v3.8.1", "", ending), &eks(), &karpenter()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(error.causes, ["pulling from host public.ecr.aws failed with status code [manifests 1.14.1]: 403 Forbidden"]);
}

#[test]
fn the_persons_helm_settings_do_not_reach_helm() {
    let theirs =
        [("HELM_KUBETOKEN", "x"), ("HELM_KUBECONTEXT", "x"), ("HELM_DRIVER", "memory"), ("HELM_NAMESPACE", "x"), ("AWS_PROFILE", "p")];
    if !in_child(module_path!(), "the_persons_helm_settings_do_not_reach_helm", &theirs) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    install(&fake_helm(dir.path(), "v4.2.3", "", "exit 0"), &eks(), &karpenter()).unwrap();
    let env = read(dir.path(), "env");
    let mut left: Vec<&str> = env.lines().filter(|l| l.starts_with("HELM_")).map(|l| l.split_once('=').unwrap().0).collect();
    left.sort_unstable();
    assert_eq!(left, ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_REGISTRY_CONFIG"]);
    assert!(env.contains("AWS_PROFILE=p"));
}

#[test]
fn an_interrupted_helm_is_an_interruption() {
    let dir = tempfile::tempdir().unwrap();
    let helm = fake_helm(dir.path(), "v3.17.3", "", "trap 'echo cancelled; exit 1' INT; echo ready; while :; do sleep 0.05; done");
    let cancel = CancellationToken::new();
    let take = |line: &str| {
        if line == "ready" {
            cancel.cancel();
        }
    };
    let error = runtime().block_on(helm.install(&eks(), &karpenter(), &take, &cancel)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(!Path::new(read(dir.path(), "where").trim()).exists());
}

#[test]
fn a_release_that_is_gone_is_uninstalled() {
    let dir = tempfile::tempdir().unwrap();
    for (ending, ok) in [
        ("exit 0", true),
        ("echo 'Error: uninstall: Release not loaded: karpenter: release: not found' >&2; exit 1", true),
        ("echo 'Error: no' >&2; exit 1", false),
    ] {
        let helm = fake_helm(dir.path(), "v3.17.3", "", ending);
        let result = runtime().block_on(helm.uninstall(&eks(), "karpenter", "kube-system", &|_| {}));
        assert_eq!(result.is_ok(), ok, "{result:?}");
    }
}

/// helm says what it could not delete only where it is asked to, and what a moment's fault kept is gone by then.
#[test]
fn what_helm_could_not_delete_is_tried_once_more_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let failing = "echo 'Error: failed to delete release: karpenter-crd' >&2";
    let said = r#"level=DEBUG msg="uninstall: Failed to delete release" error="[nodeclaims.karpenter.sh is forbidden]""#;
    for (again, ok) in [("exit 0".to_owned(), true), (format!("echo '{said}' >&2; {failing}; echo 'a trace' >&2; exit 1"), false)] {
        let ending = format!("case \"$*\" in *--debug*) {again};; esac; {failing}; exit 1");
        let helm = fake_helm(dir.path(), "v4.2.3", "", &ending);
        let lines = std::sync::Mutex::new(Vec::new());
        let take = |line: &str| lines.lock().unwrap().push(line.to_owned());
        let result = runtime().block_on(helm.uninstall(&eks(), "karpenter-crd", "kube-system", &take));
        assert_eq!(result.is_ok(), ok, "{result:?}");
        if let Err(error) = result {
            assert!(
                error.to_string().contains("nodeclaims.karpenter.sh is forbidden") && !error.to_string().contains("a trace"),
                "{error}"
            );
        }
        assert!(!lines.into_inner().unwrap().iter().any(|line| line.contains("DEBUG")), "what helm says to itself is nobody's");
    }
}

#[test]
fn tools_that_are_missing_or_something_else_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let facts = |helm: &HelmCli| runtime().block_on(helm.facts());
    assert_eq!(facts(&helm("no-such-helm-anywhere".into())), Ok(None));
    let error = facts(&helm(dir.path().join("helm"))).unwrap_err();
    assert!(error.kind == ErrorKind::Tool && error.message.starts_with("there is no helm at "), "{error:?}");

    let rubbish = helm(script(dir.path(), "helm", "printf '\\033[1mHello\\033[0m\\nI am not helm'; exit 0"));
    let error = facts(&rubbish).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Tool);
    assert_eq!(error.message, format!("{}/helm does not say which helm it is", dir.path().display()));
    assert_eq!(error.causes, ["asked for its version, it printed `Hello\nI am not helm` and ended with exit status: 0"]);

    let found = facts(&helm(script(dir.path(), "helm", "echo v3.17.3+gabc"))).unwrap().unwrap();
    assert_eq!((found.path, found.version.to_string()), (dir.path().join("helm"), "3.17.3".to_owned()));

    let eksctl = |body: &str| EksctlCli { program: script(dir.path(), "eksctl", body), aws: AwsSettings::default() };
    let found = runtime().block_on(eksctl("echo 0.230.0-dev+abc.2026-01-01").facts()).unwrap().unwrap();
    assert_eq!(found.version.to_string(), "0.230.0-dev");
    let error = runtime().block_on(eksctl("echo broken >&2; exit 9").facts()).unwrap_err();
    assert_eq!(error.causes, ["asked for its version, it printed `broken` and ended with exit status: 9"]);
}

#[test]
fn eksctl_is_given_its_own_kubeconfig_and_the_settings() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let body = format!(
        "printf '%s\\n' \"$@\" > {at}/args; env > {at}/env; for a in \"$@\"; do [ -f \"$a\" ] && cat \"$a\" > {at}/config; done; echo '2026-01-01 12:00:00 [ℹ]  hello'; exit 0"
    );
    let aws = AwsSettings { region: Some("eu-west-1".into()), profile: Some("work".into()) };
    let eksctl = EksctlCli { program: script(dir.path(), "eksctl", &body), aws };
    let seen = Mutex::new(Vec::new());
    let take = |line: &str| seen.lock().unwrap().push(line.to_owned());
    runtime().block_on(eksctl.create_cluster("kind: ClusterConfig", &take, &CancellationToken::new())).unwrap();
    assert_eq!(*seen.lock().unwrap(), ["hello"]);
    assert_eq!(read(dir.path(), "config"), "kind: ClusterConfig");
    let (args, env) = (read(dir.path(), "args"), read(dir.path(), "env"));
    assert!(args.starts_with("create\ncluster\n") && args.ends_with("--profile\nwork\n"), "{args}");
    assert!(env.contains("AWS_REGION=eu-west-1\n") && env.contains("AWS_PROFILE=work\n"));
    let kubeconfig = env.lines().find_map(|l| l.strip_prefix("KUBECONFIG=")).unwrap();
    assert!(args.contains(&format!("--kubeconfig\n{kubeconfig}\n")) && !Path::new(kubeconfig).parent().unwrap().exists());

    runtime().block_on(eksctl.delete_cluster("demo", "eu-west-1", &take, &CancellationToken::new())).unwrap();
    assert!(read(dir.path(), "args").starts_with("delete\ncluster\n"));
}
