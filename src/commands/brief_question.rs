//! Questions to AWS whose answers one can do without: none is waited for longer than a person would.

use crate::error::{Error, ErrorKind, Result};
use std::time::Duration;

/// After how long it is said what is waited for: most answers are there by then.
const SAID_AFTER: Duration = Duration::from_secs(1);

/// How long it is then waited for. Signing in by SSO or a process of the profile's is part of it.
const THEN: Duration = Duration::from_secs(14);

/// The answer, if it comes soon. `what` is the action that is asked for.
pub(super) async fn briefly<T>(say: impl Fn(&str), what: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answered) = tokio::time::timeout(SAID_AFTER, &mut answer).await {
        return answered;
    }
    let longest = (SAID_AFTER + THEN).as_secs();
    say(&format!("waiting for the answer of AWS to {what}, {longest} s at most"));
    tokio::time::timeout(THEN, answer)
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Unreachable, format!("no answer to {what} within {longest} s"))))
}

#[cfg(test)]
mod tests {
    use super::{Duration, ErrorKind, Result, briefly};
    use std::cell::RefCell;

    #[tokio::test(start_paused = true)]
    async fn who_answers_late_is_told_of_and_who_never_does_is_given_up() {
        for (seconds, said, answered) in [(0, 0, true), (5, 1, true), (60, 1, false)] {
            let lines = RefCell::new(Vec::new());
            let answer = async {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Result::Ok(seconds)
            };
            let came = briefly(|line| lines.borrow_mut().push(line.to_owned()), "sts:GetCallerIdentity", answer).await;
            assert_eq!(lines.borrow().len(), said, "{lines:?}");
            match came {
                Ok(value) => assert!(answered && value == seconds),
                Err(e) => {
                    assert!(!answered && e.kind == ErrorKind::Unreachable, "{e:?}");
                    assert_eq!(e.message, "no answer to sts:GetCallerIdentity within 15 s");
                }
            }
        }
    }
}
