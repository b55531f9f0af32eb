//! Who takes a connection and never answers is given up. The clock is the runtime's own, which goes on where there is nothing to do: no
//! test waits for it.

use super::{KEYS, aws, in_child, kube};
use karpctl::error::{ErrorKind, Result};
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
async fn is_given_up<T: Debug>(asked: impl Future<Output = Result<T>>, within: Duration) {
    let begun = Instant::now();
    let error = asked.await.unwrap_err();
    let took = begun.elapsed();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
    assert!(took > Duration::from_secs(1) && took <= within, "after {took:?}: {error:?}");
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

#[test]
fn an_api_server_that_never_answers_is_given_up() {
    if in_child(module_path!(), "an_api_server_that_never_answers_is_given_up", &KEYS) {
        by_a_clock_of_its_own(async {
            let api = kube::eks(&silent()).await;
            is_given_up(api.get(&kube::pool()), Duration::from_secs(125)).await;
        });
    }
}
