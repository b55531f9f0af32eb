//! Questions whose answers may be long in coming: it is said what is waited for, once, in a line on stderr.

use crate::error::{Error, ErrorKind, Result};
use std::time::Duration;

/// After how long it is said what is waited for, of a single answer: most are there by then.
pub(super) const SOON: Duration = Duration::from_secs(2);

/// The same of many answers at once, some of which wait for others.
pub(super) const LATE: Duration = Duration::from_secs(5);

/// How long it is waited for, where one can do without. Signing in by SSO or a process of the profile's is part of it.
const LONGEST: Duration = Duration::from_secs(15);

/// What is said of the question with which everything begins.
pub(super) const CALLER: &str = "the answer of AWS to sts:GetCallerIdentity";

/// The answer, whenever it comes. `what` is what is waited for.
pub(super) async fn patiently<T>(say: impl Fn(&str), after: Duration, what: &str, answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answered) = tokio::time::timeout(after, &mut answer).await {
        return answered;
    }
    say(&format!("waiting for {what}"));
    answer.await
}

/// The answer of AWS, if it comes soon. `what` is the action that is asked for.
pub(super) async fn briefly<T>(say: impl Fn(&str), what: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let longest = LONGEST.as_secs();
    let named = format!("the answer of AWS to {what}, {longest} s at most");
    tokio::time::timeout(LONGEST, patiently(say, SOON, &named, answer))
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Unreachable, format!("no answer to {what} within {longest} s"))))
}

#[cfg(test)]
mod tests {
    use super::{CALLER, Duration, ErrorKind, Result, SOON, briefly, patiently};
    use std::cell::RefCell;

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_is_said_once_and_however_long_it_takes() {
        for (seconds, said) in [(0, vec![]), (1, vec![]), (100, vec!["waiting for the answer of AWS to sts:GetCallerIdentity".to_owned()])]
        {
            let lines = RefCell::new(Vec::new());
            let answer = async {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                seconds
            };
            assert_eq!(patiently(|line| lines.borrow_mut().push(line.to_owned()), SOON, CALLER, answer).await, seconds);
            assert_eq!(lines.into_inner(), said);
        }
    }

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
