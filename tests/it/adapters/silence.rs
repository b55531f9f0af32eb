//! Who takes a connection and never answers is given up. The clock is the runtime's own, which goes on where there is nothing to do: no
//! test waits for it.

use super::{KEYS, aws, in_child, kube};
use karpctl::error::{Error, ErrorKind, Result};
use karpctl::ports::Aws as _;
use std::fmt::Debug;
use std::net::{TcpListener, TcpStream};
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

#[test]
fn an_api_server_that_never_answers_is_given_up() {
    if in_child(module_path!(), "an_api_server_that_never_answers_is_given_up", &KEYS) {
        by_a_clock_of_its_own(async {
            let api = kube::eks(&silent()).await;
            is_given_up(api.get(&kube::pool()), Duration::from_secs(125)).await;
        });
    }
}
