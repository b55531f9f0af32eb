//! What AWS answers, said by a service on loopback that says what it is told to.

use super::{KEYS, in_child, runtime, serve, serve_without_end};
use karpctl::adapters::aws::{AwsClient, AwsSettings};
use karpctl::error::{Error, ErrorKind};
use karpctl::ports::Aws;
use std::path::PathBuf;

/// Answers every request with this.
fn service(status: &'static str, body: &'static str) -> String {
    serve(move |_| (status.to_owned(), body.to_owned())).0
}

fn xml(code: &str, message: &str) -> &'static str {
    let text = format!(
        r#"<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"#
    );
    Box::leak(text.into_boxed_str())
}

async fn role_error(url: &str) -> Error {
    // The endpoint belongs to one call here, so it cannot come from the environment.
    let aws = client_at(url).await;
    aws.role("demo").await.unwrap_err()
}

pub(super) async fn client_at(url: &str) -> AwsClient {
    let settings = PathBuf::from(std::env::var_os("HOME").unwrap()).join(".aws");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(
        settings.join("config"),
        format!("[profile there]\nendpoint_url = {url}\naws_access_key_id = test\naws_secret_access_key = test\n"),
    )
    .unwrap();
    AwsClient::connect(&AwsSettings { region: Some("us-west-2".into()), profile: Some("there".into()) }).await.unwrap()
}

#[test]
fn aws_answers_become_kinds() {
    // Keys in the environment do not go before a profile that was named: these would not be signed with.
    if !in_child(module_path!(), "aws_answers_become_kinds", &KEYS) {
        return;
    }
    runtime().block_on(async {
        let denied = "User: arn:aws:sts::111122223333:assumed-role/Dev/me is not authorized to perform: iam:GetRole on resource: role demo because no identity-based policy allows the iam:GetRole action";
        let scp = "User: me is not authorized to perform: iam:GetRole on resource: arn:aws:iam::111122223333:role/demo with an explicit deny in a service control policy";
        for (status, code, message, kind, hint) in [
            ("403 Forbidden", "ExpiredToken", "expired", ErrorKind::Credentials, "aws sso login --profile there"),
            ("403 Forbidden", "InvalidClientTokenId", "invalid", ErrorKind::Credentials, "aws sts get-caller-identity --profile there"),
            ("403 Forbidden", "UnrecognizedClientException", "invalid", ErrorKind::Credentials, "aws account list-regions"),
            ("403 Forbidden", "SignatureDoesNotMatch", "Signature not right", ErrorKind::Credentials, "clock"),
            ("403 Forbidden", "AccessDenied", denied, ErrorKind::Denied, "allow `iam:GetRole` on `role demo`"),
            ("403 Forbidden", "AccessDenied", scp, ErrorKind::Denied, "`arn:aws:iam::111122223333:role/demo` explicitly"),
            ("400 Bad Request", "Throttling", "Rate exceeded", ErrorKind::Unreachable, "slow down"),
            ("503 Service Unavailable", "ServiceUnavailable", "later", ErrorKind::Unreachable, "HTTPS_PROXY"),
            ("409 Conflict", "EntityAlreadyExists", "there", ErrorKind::Conflict, ""),
            ("409 Conflict", "LimitExceeded", "too many", ErrorKind::Failed, "quota"),
            ("400 Bad Request", "ValidationError", "odd", ErrorKind::Failed, ""),
            ("400 Bad Request", "ValidationError", "Stack:arn:s is in UPDATE_IN_PROGRESS state and can not be updated.", ErrorKind::Conflict, ""),
            (
                "400 Bad Request",
                "AWS.SimpleQueueService.NonExistentQueue",
                "The specified queue does not exist or you do not have access to it.",
                ErrorKind::Denied,
                "",
            ),
            ("400 Bad Request", "ValidationError", "Stack [s] cannot be deleted while in status UPDATE_IN_PROGRESS", ErrorKind::Conflict, ""),
        ] {
            let url = service(status, xml(code, message));
            let error = role_error(&url).await;
            assert_eq!(error.kind, kind, "{code}: {error:?}");
            assert_eq!(error.message, "cannot read the role demo");
            assert!(error.causes[0].starts_with("iam:GetRole"), "{error:?}");
            assert!(error.to_string().contains(code) && error.to_string().contains(message), "{error:?}");
            assert!(hint.is_empty() || error.hints.iter().any(|h| h.contains(hint)), "{code}: {error:?}");
        }
        let url = service("404 Not Found", xml("NoSuchEntity", "none"));
        assert_eq!(client_at(&url).await.role("demo").await, Ok(None));
        let url = service("400 Bad Request", xml("InvalidInput", "Service role name X has been taken in this account"));
        assert_eq!(client_at(&url).await.create_service_linked_role("spot.amazonaws.com").await, Ok(false));
        let url = service("400 Bad Request", xml("ValidationError", "No updates are to be performed."));
        let change = karpctl::ports::ChangeStack {
            name: "s".into(),
            template: "{}".into(),
            parameters: std::collections::BTreeMap::default(),
            tags: std::collections::BTreeMap::default(),
            token: "t".into(),
        };
        assert_eq!(client_at(&url).await.update_stack(&change).await, Ok(false));
        let url = service("400 Bad Request", xml("ValidationError", "Stack:arn:s is in DELETE_COMPLETE state and can not be updated."));
        assert_eq!(client_at(&url).await.update_stack(&change).await.unwrap_err().kind, ErrorKind::NotFound);
        let url = service("400 Bad Request", xml("ValidationError", "Stack with id s does not exist"));
        assert_eq!(client_at(&url).await.stack("s", true).await, Ok(None));
        assert_eq!(client_at(&url).await.delete_stack("s", "t").await, Ok(()));

        let error = role_error("http://127.0.0.1:1").await;
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert_eq!(error.causes[0], "iam:GetRole at http://127.0.0.1:1: the connection is refused, as nothing listens there");
        assert!(error.details[0].starts_with("dispatch failure: "), "{error:?}");
    });
}

/// The answer to a deletion has nothing in it, so that a page in its place was as good.
#[test]
fn a_page_in_the_place_of_an_answer_is_none() {
    if !in_child(module_path!(), "a_page_in_the_place_of_an_answer_is_none", &KEYS) {
        return;
    }
    runtime().block_on(async {
        let url = service("200 OK\r\ncontent-type: text/html", "<html>Please log in</html>");
        let error = client_at(&url).await.delete_stack("s", "t").await.unwrap_err();
        assert!(
            error.kind == ErrorKind::Unreachable
                && error.causes[0]
                    .ends_with("(status 200) cannot be read: it is a page, not the service's own: something else answers in its place"),
            "{error:?}"
        );
    });
}

#[test]
fn an_answer_without_end_is_an_error() {
    if !in_child(module_path!(), "an_answer_without_end_is_an_error", &KEYS) {
        return;
    }
    runtime().block_on(async {
        let (url, taken) = serve_without_end();
        role_error(&url).await;
        let taken = taken.load(std::sync::atomic::Ordering::Relaxed) >> 20;
        assert!((32..400).contains(&taken), "{taken} MiB were read");
    });
}

#[test]
fn a_clock_that_is_off_is_known_from_any_answer() {
    if !in_child(module_path!(), "a_clock_that_is_off_is_known_from_any_answer", &KEYS) {
        return;
    }
    runtime().block_on(async {
        // This server's answers carry a header behind the status.
        let at = |seconds: i64| {
            let date =
                (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            serve(move |_| (format!("403 Forbidden\r\ndate: {date}"), xml("SignatureDoesNotMatch", "Signature not yet current").to_owned()))
                .0
        };
        for (theirs, ours) in [(3600, -3600..=-3595), (-3600, 3595..=3605), (0, -5..=5)] {
            let aws = client_at(&at(theirs)).await;
            assert_eq!(aws.clock_ahead(), None);
            aws.role("demo").await.unwrap_err();
            let ahead = aws.clock_ahead().unwrap();
            assert!(ours.contains(&ahead), "{theirs}: {ahead}");
        }
        let aws = client_at(&service("200 OK", "")).await;
        let _ = aws.role("demo").await;
        assert_eq!(aws.clock_ahead(), None, "an answer without a date says nothing");
    });
}

/// The standard mode asks again within a second, the adaptive one after its quota has come back: many times as long.
#[test]
fn the_adaptive_mode_is_the_sdks() {
    let env = [&KEYS[..], &[("AWS_RETRY_MODE", "adaptive"), ("AWS_MAX_ATTEMPTS", "2")]].concat();
    if !in_child(module_path!(), "the_adaptive_mode_is_the_sdks", &env) {
        return;
    }
    runtime().block_on(async {
        let (url, asked) = serve(|_| ("400 Bad Request".to_owned(), xml("Throttling", "Rate exceeded").to_owned()));
        let aws = client_at(&url).await;
        let in_time = tokio::time::timeout(std::time::Duration::from_secs(4), aws.role("demo")).await;
        assert!(in_time.is_err(), "{in_time:?}");
        assert_eq!(asked.lock().unwrap().len(), 1);
    });
}

#[test]
fn an_empty_question_is_not_a_question_for_everything() {
    if !in_child(module_path!(), "an_empty_question_is_not_a_question_for_everything", &KEYS) {
        return;
    }
    // Nothing is listening, so each of these would fail if it were asked.
    runtime().block_on(async {
        let aws = AwsClient::connect(&AwsSettings::default()).await.unwrap();
        assert_eq!(aws.instances(&[]).await, Ok(vec![]));
        assert_eq!(aws.launch_templates(&[]).await, Ok(vec![]));
        assert_eq!(aws.subnets(&[]).await, Ok(vec![]));
    });
}

#[test]
fn missing_settings_are_named() {
    if !in_child(module_path!(), "missing_settings_are_named", &[]) {
        return;
    }
    runtime().block_on(async {
        let region =
            |region: Option<&str>, profile: Option<&str>| AwsSettings { region: region.map(Into::into), profile: profile.map(Into::into) };
        let aws = AwsClient::connect(&region(None, None)).await.unwrap();
        let error = aws.eks_token("demo").await.unwrap_err();
        assert_eq!((error.kind, error.causes[0].as_str()), (ErrorKind::Usage, "no AWS region is set"));

        let aws = AwsClient::connect(&region(Some("us-west-2"), None)).await.unwrap();
        assert_eq!(aws.region().as_deref(), Some("us-west-2"));
        let error = aws.caller().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Credentials);
        assert_eq!(error.causes, ["there are no AWS credentials"]);
        assert!(error.details[0].starts_with("no credentials found in chain"), "{error:?}");

        let error = AwsClient::connect(&region(Some("us-west-2"), Some("nobody"))).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Credentials);
        assert!(error.message.starts_with("there is no profile `nobody` (--profile) in ~/.aws/config"), "{error:?}");
    });
}

/// A large stack has more events than one answer brings; those of earlier operations are nobody's question.
#[test]
fn the_events_of_a_whole_operation_are_read() {
    if !in_child(module_path!(), "the_events_of_a_whole_operation_are_read", &KEYS) {
        return;
    }
    let event = |id: usize, physical: &str, status: &str| {
        format!(
            "<member><StackId>stack-id</StackId><EventId>{id}</EventId><StackName>s</StackName><LogicalResourceId>r</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId><Timestamp>2026-01-01T00:00:00Z</Timestamp><ResourceStatus>{status}</ResourceStatus></member>"
        )
    };
    let page = move |number: usize| {
        let mut events: String = (0..100).map(|id| event(number * 100 + id, "r", "CREATE_FAILED")).collect();
        if number == 1 {
            events += &event(200, "stack-id", "CREATE_IN_PROGRESS");
        }
        format!(
            "<DescribeStackEventsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStackEventsResult><StackEvents>{events}</StackEvents><NextToken>{}</NextToken></DescribeStackEventsResult></DescribeStackEventsResponse>",
            number + 1
        )
    };
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let (url, asked) = serve(move |_| ("200 OK".to_owned(), page(seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst))));
    runtime().block_on(async {
        let events = client_at(&url).await.stack_events("s").await.unwrap();
        assert_eq!((events.len(), events[0].id.as_str(), events[200].id.as_str()), (201, "200", "0"), "oldest first");
        assert_eq!(asked.lock().unwrap().len(), 2, "what came before it is not asked for");
    });
}

/// A launch template, or the version of it that a node group starts from, may be deleted behind the group; EKS then says so in its health.
#[test]
fn a_launch_template_that_is_gone_hides_no_node_group() {
    if !in_child(module_path!(), "a_launch_template_that_is_gone_hides_no_node_group", &KEYS) {
        return;
    }
    let group = |name: &str, template: &str| {
        let issue = r#"{"code": "Ec2LaunchTemplateNotFound", "message": "gone", "resourceIds": ["lt-1"]}"#;
        let template =
            if template.is_empty() { String::new() } else { format!(r#""launchTemplate": {{"id": "{template}", "version": "2"}},"#) };
        format!(
            r#"{{"nodegroup": {{"nodegroupName": "{name}", {template} "instanceTypes": ["m5.large"], "scalingConfig": {{"minSize": 1, "maxSize": 9, "desiredSize": 3}}, "health": {{"issues": [{issue}]}}}}}}"#
        )
    };
    for code in ["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.VersionNotFound"] {
        let (url, _) = serve(move |asked| {
            let ok = |body: String| ("200 OK".to_owned(), body);
            match asked.line().split(' ').nth(1).unwrap() {
                "/clusters/demo/node-groups" => ok(r#"{"nodegroups": ["a", "b"]}"#.to_owned()),
                "/clusters/demo/node-groups/a" => ok(group("a", "lt-1")),
                "/clusters/demo/node-groups/b" => ok(group("b", "")),
                _ if asked.body.contains("Action=DescribeInstanceTypes") => {
                    ok("<DescribeInstanceTypesResponse><instanceTypeSet/></DescribeInstanceTypesResponse>".to_owned())
                }
                _ => {
                    let errors = format!("<Errors><Error><Code>{code}</Code><Message>none</Message></Error></Errors>");
                    ("400 Bad Request".to_owned(), format!("<Response>{errors}<RequestID>1</RequestID></Response>"))
                }
            }
        });
        runtime().block_on(async {
            let aws = client_at(&url).await;
            let groups = aws.node_groups("demo").await.unwrap();
            let told: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.own_template, group.issues.len())).collect();
            assert_eq!(told, [("a", true, 1), ("b", false, 1)], "{code}");
            let shapes = aws.node_group_shapes("demo").await.unwrap();
            assert_eq!(shapes.iter().map(|shape| (shape.name.as_str(), shape.scaling.desired)).collect::<Vec<_>>(), [("a", 3), ("b", 3)]);
        });
    }
}

#[test]
fn vpcs_that_another_account_shares_are_not_counted() {
    if !in_child(module_path!(), "vpcs_that_another_account_shares_are_not_counted", &KEYS) {
        return;
    }
    let vpcs = ["111122223333", "444455556666", "444455556666"].map(|owner| format!("<item><ownerId>{owner}</ownerId></item>")).concat();
    let (url, _) = serve(move |_| ("200 OK".to_owned(), format!("<DescribeVpcsResponse><vpcSet>{vpcs}</vpcSet></DescribeVpcsResponse>")));
    runtime().block_on(async {
        assert_eq!(client_at(&url).await.vpc_count("111122223333").await, Ok(1));
    });
}

/// EKS shows clusters of other places, of which it says next to nothing.
#[test]
fn a_cluster_that_eks_only_shows_is_refused() {
    if !in_child(module_path!(), "a_cluster_that_eks_only_shows_is_refused", &KEYS) {
        return;
    }
    let connected = r#"{"cluster": {"name": "demo", "status": "ACTIVE", "connectorConfig": {"provider": "OPENSHIFT", "roleArn": "r"}}}"#;
    runtime().block_on(async {
        let error = client_at(&service("200 OK", connected)).await.cluster("demo").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert_eq!(error.causes, ["the EKS Connector registered it, of OPENSHIFT: EKS shows it, and does not run it"]);
    });
}
