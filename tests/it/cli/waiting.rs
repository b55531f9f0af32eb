//! Who does not answer is told of, in one line on stderr, before anybody wonders.

use super::no_cluster::WHO;
use super::{KARPCTL, OFFLINE, Shell};
use crate::adapters::serve;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

const CALLER: &str = "waiting for the answer of AWS to sts:GetCallerIdentity";

fn shell(url: &str) -> Shell {
    Shell::new().asks(url)
}

#[test]
fn an_answer_that_is_long_in_coming_is_told_of_once() {
    for (words, json) in [
        (&["status", "-o", "json"][..], true),
        (&["bootstrap", "--yes"], false),
        (&["doctor", "--only", "aws-credentials,clock-skew,spot-role"], false),
        (&["render", "node-pool", "--namespace", "x"], false),
    ] {
        let expired = "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>";
        let (url, asked) = serve(move |asked| {
            if asked.body.contains("GetCallerIdentity") {
                std::thread::sleep(Duration::from_secs(3));
            }
            ("403 Forbidden".to_owned(), expired.to_owned())
        });
        // Without the account, so that AWS is asked for it.
        let ended = shell(&url).run(&[words, &OFFLINE[..4]].concat());
        let said: Vec<&str> = ended.stderr.lines().collect();
        assert_eq!((ended.code, said[0]), (1, CALLER), "{words:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.matches("GetCallerIdentity\n").count(), 1, "{words:?}: {}", ended.stderr);
        assert!(!ended.stdout.contains("waiting"), "{}", ended.stdout);
        if json {
            let error: serde_json::Value = serde_json::from_str(said.last().unwrap()).unwrap();
            assert_eq!(error["schema"], "karpctl/error/v1");
        }
        let quiet = shell(&url).run(&[words, &OFFLINE[..4], &["-q"]].concat());
        assert!(!quiet.stderr.contains("waiting"), "{}", quiet.stderr);
        assert!(asked.lock().unwrap().len() > 1, "each run asked");
    }
}

/// The doctor of an account ended after the timeout of each question, one after the other.
#[test]
fn who_does_not_answer_who_asks_is_asked_nothing_more() {
    let (url, asked) = serve(|_| ("503 Service Unavailable".to_owned(), String::new()));
    let ended = shell(&url).run(&["doctor", "--only", "aws-credentials,clock-skew,spot-role", "--region", "us-west-2"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let asked: Vec<String> = asked.lock().unwrap().iter().map(|asked| asked.body.clone()).collect();
    assert!(asked.len() == 1 && asked[0].contains("GetCallerIdentity"), "{asked:?}");
}

#[test]
fn a_look_that_takes_long_names_the_api_server() {
    let cluster = r#"{"cluster": {"name": "demo", "version": "1.35", "status": "ACTIVE", "endpoint": "https://127.0.0.1:9", "tags": {}}}"#;
    let (url, _) = serve(move |asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => ("200 OK".to_owned(), cluster.to_owned()),
        _ if asked.body.contains("GetCallerIdentity") => ("200 OK".to_owned(), WHO.to_owned()),
        _ => {
            std::thread::sleep(Duration::from_secs(20));
            ("200 OK".to_owned(), "{}".to_owned())
        }
    });
    let shell = shell(&url);
    let mut child = shell.command(KARPCTL).args(["status"]).args(OFFLINE).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap).find(|line| line.starts_with("waiting"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(said.as_deref(), Some("waiting for the answers of AWS and of the cluster's API server, https://127.0.0.1:9"));
}
