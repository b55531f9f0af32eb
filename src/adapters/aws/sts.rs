//! STS: who asks.

use super::errors::Call;
use super::{AwsClient, profiles};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::Caller;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(super) async fn caller(aws: &AwsClient) -> Result<Caller> {
    let doing = "cannot find out who you are in AWS";
    let call = Call::new("sts:GetCallerIdentity", "*", doing);
    let tries = Tries::default();
    let asked = aws.sts.get_caller_identity().customize().interceptor(tries.clone()).send();
    let answer = tries.answered(asked, aws.first_time).await.map_err(|e| tries.told(aws.error(&call, &e)))?;
    let parsed = |what: &str, e: String| Error::failed(doing).because(format!("STS answered an odd {what}: {e}"));
    Ok(Caller {
        account: answer.account().unwrap_or_default().parse().map_err(|e| parsed("account", format!("{e}")))?,
        arn: answer.arn().unwrap_or_default().parse().map_err(|e| parsed("ARN", format!("{e}")))?,
        good_for: aws.settings.profile.is_none().then(profiles::keys_end).flatten().map(|end| end - Timestamp::now().as_second()),
    })
}

/// How often a question was sent, and since when.
#[derive(Debug, Clone, Default)]
struct Tries(Arc<Sent>);

#[derive(Debug, Default)]
struct Sent {
    times: AtomicU32,
    first: OnceLock<Instant>,
    now: Notify,
}

impl Tries {
    fn sent(&self) {
        self.0.times.fetch_add(1, Ordering::Relaxed);
        self.0.first.get_or_init(Instant::now);
        self.0.now.notify_one();
    }

    /// The answer, unless it is not there this long after the question was first sent. Signing in comes before that and is waited for.
    async fn answered<T, E, R>(
        &self,
        asked: impl Future<Output = Result<T, SdkError<E, R>>>,
        longest: Option<Duration>,
    ) -> Result<T, SdkError<E, R>> {
        let long_enough = async {
            self.0.now.notified().await;
            match longest {
                Some(longest) => tokio::time::sleep(longest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            answer = asked => answer,
            () = long_enough => Err(SdkError::timeout_error("the question timed out")),
        }
    }

    /// The failure to reach somebody, with how often and how long that was tried.
    fn told(&self, error: Error) -> Error {
        let tries = self.0.times.load(Ordering::Relaxed);
        let seconds = self.0.first.get().map_or(0.0, |first| first.elapsed().as_secs_f64().round());
        if error.kind != ErrorKind::Unreachable || tries == 0 || tries == 1 && seconds < 1.0 {
            return error;
        }
        let times = if tries == 1 { "once".to_owned() } else { format!("{tries} times") };
        error.because(format!("tried {times}, for {seconds} s"))
    }
}

impl Intercept for Tries {
    fn name(&self) -> &'static str {
        "karpctl-tries"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.sent();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, SdkError, Tries};

    #[tokio::test(start_paused = true)]
    async fn the_clock_of_a_question_begins_with_its_sending() {
        for (signing_in, answering, longest, after) in
            [(600, 20, Some(30), Ok(620)), (600, 40, Some(30), Err(630)), (0, 40, Some(30), Err(30)), (600, 400, None, Ok(1000))]
        {
            let (tries, begun) = (Tries::default(), Instant::now());
            let asked = async {
                tokio::time::sleep(Duration::from_secs(signing_in)).await;
                tries.sent();
                tokio::time::sleep(Duration::from_secs(answering)).await;
                Ok::<(), SdkError<(), ()>>(())
            };
            let answered = tries.answered(asked, longest.map(Duration::from_secs)).await;
            let took = begun.elapsed().as_secs();
            assert_eq!(answered.map(|()| took).map_err(|_| took), after);
        }
    }
}
