//! Who takes a connection and never answers is given up. The clock is the runtime's own, which goes on where there is nothing to do: no
//! test waits for it.

use super::{KEYS, aws, in_child, kube, runtime, script, serve};
use karpctl::adapters::aws::{AwsClient, AwsSettings};
use karpctl::error::{Error, ErrorKind, Result};
use karpctl::ports::Aws as _;
use std::fmt::Debug;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// Takes every connection and keeps it.
fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().collect::<Vec<std::io::Result<TcpStream>>>());
    format!("http://{address}")
}

/// The question is given up as one that nobody answered, within this time.
async fn is_given_up<T: Debug>(asked: impl Future<Output = Result<T>>, within: Duration) -> Error {
    let begun = Instant::now();
    let error = asked.await.unwrap_err();
    let took = begun.elapsed();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
    assert!(took > Duration::from_secs(1) && took <= within, "after {took:?}: {error:?}");
    error
}

fn by_a_clock_of_its_own(asking: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(asking);
}

#[test]
fn an_aws_that_never_answers_is_given_up() {
    if in_child(module_path!(), "an_aws_that_never_answers_is_given_up", &KEYS) {
        by_a_clock_of_its_own(async {
            let aws = aws::client_at(&silent()).await;
            is_given_up(aws.role("demo"), Duration::from_secs(61)).await;
        });
    }
}

/// With this question every command begins.
#[test]
fn who_asks_is_asked_for_half_a_minute_and_it_is_said_how_often() {
    let tries_of_its_own = [&KEYS[..], &[("AWS_MAX_ATTEMPTS", "")]].concat();
    if in_child(module_path!(), "who_asks_is_asked_for_half_a_minute_and_it_is_said_how_often", &tries_of_its_own) {
        by_a_clock_of_its_own(async {
            let aws = aws::client_at(&silent()).await;
            let error = is_given_up(aws.caller(), Duration::from_secs(31)).await;
            assert!(error.causes[0].ends_with(": there was no answer in time"), "{error:?}");
            assert!(error.causes[1].starts_with("tried ") && error.causes[1].ends_with(" times, for 30 s"), "{error:?}");
        });
    }
}

#[test]
fn who_asks_is_asked_as_often_as_somebody_says() {
    if in_child(module_path!(), "who_asks_is_asked_as_often_as_somebody_says", &KEYS) {
        by_a_clock_of_its_own(async {
            let aws = aws::client_at(&silent()).await;
            let error = is_given_up(aws.caller(), Duration::from_secs(11)).await;
            assert_eq!(error.causes[1], "tried once, for 10 s");
        });
    }
}

/// Asks who asks by a profile whose program takes this long: it may ask a person, in a browser or for a second factor. The clock is the
/// machine's here, as a runtime's own waits for no program.
fn signs_in(seconds: u32) {
    let identity = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn><UserId>me</UserId>\
                    <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let (url, asked) = serve(move |_| ("200 OK".to_owned(), identity.to_owned()));
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let keys = r#"{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}"#;
    let program = script(&home, "sign-in", &format!("sleep {seconds}; echo x >> {}/signed-in; echo '{keys}'", home.display()));
    std::fs::create_dir_all(home.join(".aws")).unwrap();
    let profile = format!("[profile slow]\nendpoint_url = {url}\ncredential_process = {}\n", program.display());
    std::fs::write(home.join(".aws/config"), profile).unwrap();
    runtime().block_on(async {
        let aws = AwsClient::connect(&AwsSettings { region: Some("us-west-2".into()), profile: Some("slow".into()) }).await.unwrap();
        assert_eq!(aws.caller().await.unwrap().account.as_str(), "111122223333");
    });
    assert_eq!(std::fs::read_to_string(home.join("signed-in")).unwrap(), "x\n", "it is asked once");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn signing_in_may_take_longer_than_who_asks_is_asked_for() {
    if in_child(module_path!(), "signing_in_may_take_longer_than_who_asks_is_asked_for", &[("AWS_MAX_ATTEMPTS", "")]) {
        signs_in(31);
    }
}

/// Left alone, the SDK gives it 10 s then.
#[test]
fn signing_in_takes_its_time_however_often_somebody_says_to_ask() {
    if in_child(module_path!(), "signing_in_takes_its_time_however_often_somebody_says_to_ask", &[]) {
        signs_in(12);
    }
}

#[test]
fn an_api_server_that_never_answers_is_given_up() {
    if in_child(module_path!(), "an_api_server_that_never_answers_is_given_up", &KEYS) {
        by_a_clock_of_its_own(async {
            let api = kube::eks(&silent()).await;
            is_given_up(api.get(&kube::pool()), Duration::from_secs(125)).await;
        });
    }
}
