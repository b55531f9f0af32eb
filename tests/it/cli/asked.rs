//! Who is asked, where, by whom and how often: the AWS settings are the SDK's own, and some commands ask nobody.

use super::destroy::CLUSTER;
use super::doctor::{PLUGIN, kubeconfig, machine};
use super::no_cluster::WHO;
use super::{DEMO, Ended, OFFLINE, Shell, Variables};
use crate::adapters::{Asked, serve};
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A server that counts who comes, and hangs up.
struct Door {
    address: SocketAddr,
    came: Arc<AtomicUsize>,
}

impl Door {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, came) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counter = came.clone();
        std::thread::spawn(move || {
            for _hung_up in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, came }
    }

    /// How many came until now. Whoever came before us was counted before us.
    fn came(&self) -> usize {
        let _ = TcpStream::connect(self.address).unwrap().read(&mut [0]);
        self.came.swap(0, Ordering::SeqCst) - 1
    }
}

/// A machine with credentials, a cluster in the kubeconfig, and doors where AWS, the cluster and everybody else would be.
fn watched() -> (Shell, [Door; 3]) {
    let doors = [Door::open(), Door::open(), Door::open()];
    let at = |door: &Door| format!("http://{}", door.address);
    let cluster = format!("server: https://{}", doors[1].address);
    let shell = machine(&[("here", "v1beta1")])
        .file("config", &kubeconfig(&[("here", "v1beta1")]).replace("server: https://127.0.0.1:9", &cluster))
        .program("plugin", &PLUGIN.replace("#!/bin/sh\n", "#!/bin/sh\n: > was-run\n"))
        .program("kubectl", "#!/bin/sh\necho '{\"clientVersion\": {\"gitVersion\": \"v1.34.0\"}}'\n")
        .env("AWS_ENDPOINT_URL", &at(&doors[0]))
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &at(&doors[0]))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("HTTPS_PROXY", &at(&doors[2]))
        .env("HTTP_PROXY", &at(&doors[2]));
    (shell, doors)
}

const TOOLS: [&str; 6] = ["--kubeconfig", "config", "--helm", "./helm", "--kubectl", "./kubectl"];

#[test]
fn an_offline_doctor_asks_nobody() {
    let (shell, doors) = watched();
    let was_run = shell.dir.path().join("was-run");
    let doctor = |words: &[&str]| shell.run(&[&["doctor", "-o", "json"], words, &TOOLS, &OFFLINE].concat());
    let offline = doctor(&["--offline"]);
    assert!(super::doctor::checks(&offline).len() > 60, "{}", offline.stdout);
    assert_eq!(doors.each_ref().map(Door::came), [0, 0, 0], "{}", offline.stdout);
    assert!(was_run.exists(), "the plugin is run all the same");
    // These doors are where they would be: a doctor that may ask comes by.
    doctor(&["--only", "aws-credentials"]);
    assert_eq!(doors.each_ref().map(|door| door.came() > 0), [true, false, false]);
    // Of a cluster only where AWS answers.
    let (url, _) = serve(|asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => ("200 OK".to_owned(), CLUSTER.to_owned()),
        line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
        _ => ("200 OK".to_owned(), "{}".to_owned()),
    });
    let shell = shell.env("AWS_ENDPOINT_URL", &url);
    shell.run(&[&["doctor", "--only", "auto-mode-api,chart-tag"], &TOOLS[..], &OFFLINE].concat());
    assert_eq!(doors.each_ref().map(|door| door.came() > 0), [false, true, true]);
}

#[test]
fn rendering_asks_nobody_where_account_and_region_are_known() {
    let (shell, doors) = watched();
    let ended = shell.run(&[&["render", "all", "--out", "out"], &TOOLS[..], &OFFLINE].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(doors.each_ref().map(Door::came), [0, 0, 0]);
    // Without the account it is asked for.
    let ended = shell.run(&[&["render", "all", "--out", "out"], &DEMO[..]].concat());
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(doors[0].came() > 0);
}

/// An AWS that knows who asks, and what it was asked.
fn aws() -> (String, Arc<Mutex<Vec<Asked>>>) {
    serve(|_| ("200 OK".to_owned(), WHO.to_owned()))
}

fn who(shell: &Shell, more: &[&str]) -> Ended {
    shell.run(&[&["doctor", "--only", "aws-credentials", "-o", "json", "--region", "us-west-2"], more].concat())
}

#[test]
fn a_service_has_an_endpoint_of_its_own() {
    let ((all, of_all), (sts, of_sts), (iam, of_iam)) = (aws(), aws(), aws());
    let shell = Shell::new().asks(&all).env("AWS_ENDPOINT_URL_STS", &sts).env("AWS_ENDPOINT_URL_IAM", &iam);
    shell.run(&["doctor", "--only", "aws-credentials,spot-role", "--region", "us-west-2"]);
    let bodies = |asked: &Mutex<Vec<Asked>>| asked.lock().unwrap().iter().map(|asked| asked.body.clone()).collect::<Vec<_>>();
    let (of_sts, of_iam) = (bodies(&of_sts), bodies(&of_iam));
    assert!(!of_sts.is_empty() && of_sts.iter().all(|body| body.contains("Action=GetCallerIdentity")), "{of_sts:?}");
    assert!(!of_iam.is_empty() && of_iam.iter().all(|body| body.contains("Action=GetRole")), "{of_iam:?}");
    assert_eq!(bodies(&of_all), Vec::<String>::new());
}

#[test]
fn where_no_region_is_set_one_of_the_partition_that_is_said_is_asked() {
    let ask = |answer: (&'static str, &'static str), env: Variables, words: &[&str]| {
        let (url, asked) = serve(move |_| (answer.0.to_owned(), answer.1.to_owned()));
        let shell = Shell::new().file("config", "[default]\n[profile ningxia]\nregion = cn-northwest-1\n").env("AWS_CONFIG_FILE", "config");
        let shell = shell.asks(&url);
        let ended = env.iter().fold(shell, |shell, (name, value)| shell.env(name, value)).run(words);
        let asked = asked.lock().unwrap();
        let region = |asked: &Asked| Some(asked.headers().split_once("credential=test/")?.1.split('/').nth(1)?.to_owned());
        let regions: std::collections::BTreeSet<String> = asked.iter().filter_map(region).collect();
        (ended, regions.into_iter().collect::<Vec<_>>().join(" "))
    };
    let doctor = ["doctor", "--only", "aws-credentials"];
    let compare = ["versions", "--compare", "--chart-repository", "oci://127.0.0.1:9/karpenter"];
    let cases: [(Variables, &[&str], &str); 6] = [
        (&[], &doctor, "us-east-1"),
        (&[("AWS_PARTITION", "aws-cn")], &doctor, "cn-north-1"),
        (&[("AWS_PROFILE", "ningxia")], &doctor, "cn-northwest-1"),
        (&[], &compare, "us-east-1"),
        (&[("AWS_PARTITION", "aws-us-gov")], &compare, "us-gov-west-1"),
        (&[("AWS_PROFILE", "ningxia")], &compare, "cn-northwest-1"),
    ];
    for (env, words, region) in cases {
        assert_eq!(ask(("200 OK", WHO), env, words).1, region, "{env:?} {words:?}");
    }
    // Keys of another partition are none to a region that was asked for want of another.
    let unknown = "<ErrorResponse><Error><Code>InvalidClientTokenId</Code>\
         <Message>The security token included in the request is invalid</Message></Error></ErrorResponse>";
    let (ended, _) = ask(("403 Forbidden", unknown), &[], &doctor);
    for words in ["us-east-1, which was asked, knows no keys of another partition", "name a region of theirs: --region, or AWS_REGION"] {
        assert!(ended.stdout.contains(words), "{}{}", ended.stdout, ended.stderr);
    }
    let (ended, _) = ask(("403 Forbidden", unknown), &[("AWS_REGION", "cn-north-1")], &doctor);
    assert!(!ended.stdout.contains("another partition"), "{}", ended.stdout);
}

/// Also three times, which is what the SDK does where nobody says anything; karpctl then asks five times.
#[test]
fn a_call_is_tried_as_often_as_it_is_said() {
    let tries = |env: Variables, config: &str| {
        let (url, asked) = serve(|_| ("503 Service Unavailable".to_owned(), String::new()));
        let shell = Shell::new().file("config", config).env("AWS_CONFIG_FILE", "config").env("AWS_ENDPOINT_URL", &url);
        let shell = shell.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let shell = env.iter().fold(shell, |shell, (name, value)| shell.env(name, value));
        let ended = who(&shell, &[]);
        assert_eq!(ended.code, 1, "{}", ended.stdout);
        asked.lock().unwrap().len()
    };
    let cases: [(Variables, &str, usize); 12] = [
        (&[], "", 5),
        (&[("AWS_MAX_ATTEMPTS", ""), ("AWS_RETRY_MODE", "")], "", 5),
        (&[("AWS_RETRY_MODE", "legacy")], "", 5),
        (&[], "[default]\nretry_mode = legacy\n", 5),
        (&[], "[default]\nretry_mode =\nmax_attempts =\n", 5),
        (&[("AWS_MAX_ATTEMPTS", "")], "[default]\nmax_attempts = 2\n", 2),
        (&[("AWS_MAX_ATTEMPTS", "2 ")], "[default]\nmax_attempts = none\n", 2),
        (&[("AWS_MAX_ATTEMPTS", "1")], "", 1),
        (&[("AWS_MAX_ATTEMPTS", "2")], "", 2),
        (&[("AWS_MAX_ATTEMPTS", "3")], "", 3),
        (&[], "[default]\nmax_attempts = 3\n", 3),
        (&[("AWS_RETRY_MODE", "adaptive"), ("AWS_MAX_ATTEMPTS", "2")], "", 2),
    ];
    // At once, since they mostly wait.
    std::thread::scope(|scope| {
        let all = cases.map(|(env, config, wanted)| (scope.spawn(move || tries(env, config)), env, config, wanted));
        for (tried, env, config, wanted) in all {
            assert_eq!(tried.join().unwrap(), wanted, "{env:?} {config:?}");
        }
    });
}

#[test]
fn what_is_no_way_to_ask_again_is_said_with_its_place() {
    let file = "of the profile `default` in config (AWS_CONFIG_FILE) or ~/.aws/credentials";
    let cases: [(Variables, &str, String); 6] = [
        (&[("AWS_MAX_ATTEMPTS", "abc")], "", "AWS_MAX_ATTEMPTS is `abc`: expected a whole number, 1 or more".to_owned()),
        (&[("AWS_MAX_ATTEMPTS", "0")], "", "AWS_MAX_ATTEMPTS is `0`: expected a whole number, 1 or more".to_owned()),
        (&[("AWS_RETRY_MODE", "often")], "", "AWS_RETRY_MODE is `often`: expected standard, adaptive or legacy".to_owned()),
        (&[], "[default]\nmax_attempts = foo\n", format!("max_attempts {file} is `foo`: expected a whole number, 1 or more")),
        (&[], "[default]\nretry_mode = often\n", format!("retry_mode {file} is `often`: expected standard, adaptive or legacy")),
        (
            &[("AWS_ACCESS_KEY_ID", ""), ("AWS_ENDPOINT_URL_STS", "")],
            "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\ncredential_source = Environment\n",
            "AWS_ENDPOINT_URL_STS is empty, and the credentials come from STS\nhint: unset it, or let it be the whole URL of what answers in AWS's place"
                .to_owned(),
        ),
    ];
    let region = ["--cluster-name", "demo", "--region", "us-west-2"];
    for (env, config, said) in &cases {
        let shell = Shell::new().file("config", config).env("AWS_CONFIG_FILE", "config");
        let shell = shell.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let shell = env.iter().fold(shell, |shell, (name, value)| shell.env(name, value));
        for words in
            [&["status"][..], &["bootstrap", "--dry-run"], &["token"], &["render", "node-pool"], &["doctor", "--only", "aws-credentials"]]
        {
            let ended = shell.run(&[words, &region].concat());
            assert_eq!((ended.code, ended.stderr.trim_end()), (2, format!("error: {said}").as_str()), "{words:?}");
        }
    }
}

/// Variables that are empty are what CI makes of those that nobody set.
#[test]
fn an_empty_endpoint_is_none() {
    let (url, asked) = aws();
    let of_file = format!("[default]\nendpoint_url = {url}\n");
    let services = |sts: &str| format!("{of_file}services = here\n[services here]\nsts =\n  endpoint_url ={sts}\n");
    let cases: [(&[(&str, &str)], String); 6] = [
        (&[("AWS_ENDPOINT_URL", &url), ("AWS_ENDPOINT_URL_STS", "")], String::new()),
        (&[("AWS_ENDPOINT_URL", &url), ("AWS_ENDPOINT_URL_STS", " ")], String::new()),
        (&[("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL_STS", &url)], String::new()),
        (&[("AWS_ENDPOINT_URL", "")], of_file.clone()),
        (&[("AWS_ENDPOINT_URL", " "), ("AWS_ENDPOINT_URL_STS", "")], of_file.clone()),
        (&[("AWS_ENDPOINT_URL", "")], services("")),
    ];
    // Nobody but the proxy, who is not there, is asked where no endpoint is left.
    let nowhere = |env: &[(&str, &str)], config: &str| {
        let shell = Shell::new().file("config", config).env("AWS_CONFIG_FILE", "config").env("HTTPS_PROXY", "http://127.0.0.1:9");
        let shell = shell.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_MAX_ATTEMPTS", "1");
        who(&env.iter().fold(shell, |shell, (name, value)| shell.env(name, value)), &[])
    };
    for (env, config) in &cases {
        let ended = nowhere(env, config);
        assert_eq!(
            (ended.code, asked.lock().unwrap().drain(..).count() > 0),
            (0, true),
            "{env:?} {config}: {}{}",
            ended.stdout,
            ended.stderr
        );
    }
    for config in ["", "[default]\nendpoint_url =\n", "[default]\nservices = here\n[services here]\nsts =\n  endpoint_url =\n"] {
        let ended = nowhere(&[("AWS_ENDPOINT_URL", "")], config);
        assert_eq!(ended.code, 1, "{config}: {}", ended.stderr);
        assert!(ended.stdout.contains("sts:GetCallerIdentity at https://sts.us-west-2.amazonaws.com: "), "{config}: {}", ended.stdout);
    }
}

#[test]
fn a_token_that_aws_sso_login_has_kept_is_used() {
    let config = "[profile corp]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Admin\nregion = us-west-2\n\
         [sso-session corp]\nsso_region = us-west-2\nsso_start_url = https://corp.example/start\n";
    let token =
        r#"{"accessToken": "kept", "expiresAt": "2999-12-31T00:00:00Z", "region": "us-west-2", "startUrl": "https://corp.example/start"}"#;
    let role =
        r#"{"roleCredentials": {"accessKeyId": "ASIAOFSSO", "secretAccessKey": "s", "sessionToken": "t", "expiration": 32503593600000}}"#;
    for by_flag in [true, false] {
        let (portal, of_portal) = serve(move |_| ("200 OK".to_owned(), role.to_owned()));
        let (sts, of_sts) = aws();
        let shell = Shell::new().env("AWS_ENDPOINT_URL_STS", &sts).env("AWS_ENDPOINT_URL_SSO", &portal);
        let folder = shell.dir.path().join(".aws/sso/cache");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(shell.dir.path().join(".aws/config"), config).unwrap();
        // The SHA-1 of the session's name.
        std::fs::write(folder.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json"), token).unwrap();
        let ended = if by_flag { who(&shell, &["--profile", "corp"]) } else { who(&shell.env("AWS_PROFILE", "corp"), &[]) };
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        let asked = of_portal.lock().unwrap();
        assert_eq!(asked.len(), 1, "{asked:?}");
        let line = asked[0].line();
        assert!(line.contains("role_name=Admin") && line.contains("account_id=111122223333"), "{line}");
        assert!(asked[0].headers().contains("x-amz-sso_bearer_token: kept"), "{asked:?}");
        let asked = of_sts.lock().unwrap();
        assert!(!asked.is_empty() && asked.iter().all(|asked| asked.headers().contains("credential=asiaofsso/")), "{asked:?}");
    }
}
