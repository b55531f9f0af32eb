//! What helm and eksctl say, and what it means.

use super::karpenter;
use karpctl::adapters::eksctl::{explain, plain_line};
use karpctl::adapters::helm::{explain_install, explain_uninstall};
use karpctl::error::ErrorKind;

/// What the real helms said (3.8.1, 3.17.3, 4.2.3), and what it means.
#[test]
fn helms_words_are_understood() {
    use ErrorKind::{Conflict, Credentials, Denied, Failed, NotFound, Refused, Timeout, Tool, Unreachable};
    for (said, kind, hint) in [
        (
            r#"Error: Kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": dial tcp 127.0.0.1:1: connect: connection refused"#,
            Unreachable,
            "VPN",
        ),
        (
            r#"Error: kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": dial tcp 127.0.0.1:1: connect: connection refused"#,
            Unreachable,
            "VPN",
        ),
        (
            r#"Error: Kubernetes cluster unreachable: exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1""#,
            Tool,
            "doctor",
        ),
        (
            r#"Error: kubernetes cluster unreachable: exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1""#,
            Tool,
            "doctor",
        ),
        (
            r#"Error: Kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": getting credentials: exec: executable /bin/false failed with exit code 1"#,
            Credentials,
            "karpctl token",
        ),
        ("Error: Kubernetes cluster unreachable: the server has asked for the client to provide credentials", Denied, "access entry"),
        (
            "Error: pulling from host 127.0.0.1:41079 failed with status code [manifests 1.14.1]: 403 Forbidden",
            Denied,
            "logout public.ecr.aws",
        ),
        (
            "Error: unexpected status from HEAD request to https://public.ecr.aws/v2/karpenter/karpenter/manifests/1.14.1: 403 Forbidden",
            Denied,
            "logout public.ecr.aws",
        ),
        (
            r#"Error: failed to perform "FetchReference" on source: GET "http://127.0.0.1:41079/v2/karpenter/karpenter/manifests/1.14.1": response status code 403: denied: Your authorization token has expired. Reauthenticate and try again."#,
            Denied,
            "logout public.ecr.aws",
        ),
        ("Error: 127.0.0.1:38523/karpenter/karpenter:1.14.1: not found", NotFound, "helm show chart"),
        (
            r#"Error: failed to perform "FetchReference" on source: 127.0.0.1:38523/karpenter/karpenter:1.14.1: not found"#,
            NotFound,
            "helm show chart",
        ),
        (
            "Error: unexpected status from HEAD request to http://127.0.0.1:42679/v2/karpenter/karpenter/manifests/1.14.1: 400 Bad Request",
            Unreachable,
            "SSL_CERT_FILE",
        ),
        (
            r#"Error: failed to do request: Head "https://nosuch.invalid/v2/karpenter/karpenter/manifests/1.14.1": dial tcp: lookup nosuch.invalid on 10.0.0.2:53: no such host"#,
            Unreachable,
            "HTTPS_PROXY",
        ),
        (
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            Conflict,
            "helm rollback karpenter --namespace kube-system",
        ),
        (
            r#"Error: Unable to continue with install: CustomResourceDefinition "nodepools.karpenter.sh" in namespace "" exists and cannot be imported into the current release: invalid ownership metadata; label validation error: missing key "app.kubernetes.io/managed-by": must be set to "Helm""#,
            Refused,
            "--adopt",
        ),
        (
            "Error: release karpenter failed, and has been uninstalled due to atomic being set: context deadline exceeded",
            Timeout,
            "kubectl get pods",
        ),
        (
            "Error: UPGRADE FAILED: resource Deployment/kube-system/karpenter not ready. status: InProgress, message: Available: 0/2\ncontext deadline exceeded",
            Timeout,
            "kubectl get pods",
        ),
        ("Error: chart requires kubeVersion: >=1.25.0-0 which is incompatible with Kubernetes v1.24.0", Refused, "karpctl versions"),
        ("Error: something new", Failed, ""),
    ] {
        let tail: Vec<String> = ["Pulled: x", "WARNING: y"].into_iter().chain(said.lines()).map(str::to_owned).collect();
        let error = explain_install("cannot install", &karpenter(), &tail);
        assert_eq!(error.kind, kind, "{said}");
        assert_eq!(error.causes, [said.strip_prefix("Error: ").unwrap()]);
        assert!(hint.is_empty() || error.hints.iter().any(|h| h.contains(hint)), "{said}: {error:?}");
    }
    let error = explain_install("cannot install", &karpenter(), &[]);
    assert_eq!(error.causes, ["helm said nothing"]);
    let long = format!("Error: {}", "x".repeat(20_000));
    assert!(explain_install("cannot install", &karpenter(), &[long]).causes[0].chars().count() < 2_100);
    let gone = explain_uninstall("cannot uninstall", "karpenter", "ns", &["Error: timed out waiting for the condition".to_owned()]);
    assert_eq!(gone.kind, Timeout);
}

/// What real helms said (3.8.1 to 3.11.1; 3.16.4, 3.17.3; 4.1.4, 4.2.3) of a registry that asks for basic authentication and gets none.
#[test]
fn a_mirror_without_a_login_is_told_how_to_log_in() {
    let of = |chart: &str, said: &str| {
        let install = karpctl::ports::HelmInstall { chart: chart.into(), ..karpenter() };
        let error = explain_install("cannot install", &install, &[format!("Error: {said}")]);
        assert_eq!(error.kind, ErrorKind::Denied, "{said}");
        error.hints.join("\n")
    };
    for said in [
        "pulling from host mirror.example:5000 failed with status code [manifests 1.14.1]: 401 Unauthorized",
        "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
        r#"failed to perform "FetchReference" on source: GET "https://mirror.example:5000/v2/karpenter/karpenter/manifests/1.14.1": basic credential not found"#,
    ] {
        let hint = of("oci://mirror.example:5000/karpenter/karpenter", said);
        assert!(hint.contains("`helm registry login mirror.example:5000 --registry-config registry.json`"), "{hint}");
        assert!(hint.contains("`--registry-config registry.json`") && hint.contains("chart.registryConfig"), "{hint}");
        let ecr = of("oci://111122223333.dkr.ecr.eu-central-1.amazonaws.com/karpenter/karpenter", said);
        let log_in = "aws ecr get-login-password --region eu-central-1 | helm registry login 111122223333.dkr.ecr.eu-central-1.amazonaws.com \
                      --username AWS --password-stdin";
        assert!(ecr.contains(log_in), "{ecr}");
    }
}

#[test]
fn eksctls_lines_lose_clock_and_symbol() {
    for (line, plain) in [
        ("2026-01-01 12:00:00 [ℹ]  building cluster stack", "building cluster stack"),
        ("2026-01-01 12:00:00 [✔]  done", "done"),
        ("2026-01-01 12:00:00 [!]  recommended policies", "warning: recommended policies"),
        ("2026-01-01 12:00:00 [✖]  it broke", "error: it broke"),
        ("Error: checking AWS STS access", "Error: checking AWS STS access"),
        ("", ""),
        ("ééééééééééééééééééééééé", "ééééééééééééééééééééééé"),
    ] {
        assert_eq!(plain_line(line), plain);
    }
}

fn tail(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|l| (*l).to_owned()).collect()
}

#[test]
fn eksctls_words_are_understood() {
    let error = explain(
        "cannot create",
        &tail(&[
            "2026-01-01 12:00:00 [ℹ]  building cluster stack",
            "2026-01-01 12:00:00 [✖]  AWS::EKS::Cluster/ControlPlane: CREATE_FAILED – \"unsupported Kubernetes version\"",
            "Error: failed to create cluster \"demo\"",
        ]),
    );
    assert_eq!(error.kind, ErrorKind::Failed);
    assert_eq!(
        error.causes[0],
        "AWS::EKS::Cluster/ControlPlane: CREATE_FAILED – \"unsupported Kubernetes version\"\nfailed to create cluster \"demo\""
    );
    for (line, kind) in [
        ("Error: checking AWS STS access – cannot get role ARN for current session: ExpiredToken: expired", ErrorKind::Credentials),
        ("Error: operation error CloudFormation: CreateStack, api error AccessDenied: no", ErrorKind::Denied),
        ("Error: exceeded max wait time for StackCreateComplete waiter", ErrorKind::Timeout),
        ("Error: dial tcp: lookup sts.us-west-2.amazonaws.com: no such host", ErrorKind::Unreachable),
        ("Error: creating CloudFormation stack: AlreadyExistsException: Stack already exists", ErrorKind::Conflict),
    ] {
        assert_eq!(explain("cannot create", &tail(&[line])).kind, kind, "{line}");
    }
}

/// eksctl 0.230 looks into the answer of `DescribeChangeSet` before it looks whether there is one.
#[test]
fn a_crash_of_eksctl_says_what_it_called() {
    let error = explain(
        "cannot create",
        &tail(&[
            "2026-11-28 17:17:43 [ℹ]  waiting for CloudFormation changeset \"a\" for stack \"b\"",
            "panic: runtime error: invalid memory address or nil pointer dereference",
            "[signal SIGSEGV: segmentation violation code=0x1 addr=0x118 pc=0x443cc22]",
            "goroutine 39 [running]:",
            "github.com/weaveworks/eksctl/pkg/cfn/manager.(*StackCollection).doWaitUntilChangeSetIsCreated.func1.1({0x64dacd8, 0x357a1bad5030})",
            "\t/build/mod/github.com/weaveworks/eksctl@v0.230.0/pkg/cfn/manager/waiters.go:154 +0x102",
            "\t/build/mod/github.com/aws/aws-sdk-go-v2/service/cloudformation@v1.76.1/api_op_DescribeChangeSet.go:378 +0x5e4",
        ]),
    );
    let crashed = "eksctl crashed (runtime error: invalid memory address or nil pointer dereference)";
    assert_eq!(error.causes, [crashed, "the trace leads to its call of cloudformation:DescribeChangeSet"]);
    assert!(error.hints[0].starts_with("see whether you may call `cloudformation:DescribeChangeSet`"), "{error:?}");
    let error = explain("cannot create", &tail(&["panic: assignment to entry in nil map", "goroutine 1 [running]:"]));
    assert_eq!(error.causes, ["eksctl crashed (assignment to entry in nil map)"]);
}
