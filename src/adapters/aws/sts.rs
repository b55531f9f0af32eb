//! STS: who asks.

use super::AwsClient;
use super::errors::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::facts::Caller;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::time::Instant;

pub(super) async fn caller(aws: &AwsClient) -> Result<Caller> {
    let doing = "cannot find out who you are in AWS";
    let call = Call::new("sts:GetCallerIdentity", "*", doing);
    let (tries, begun) = (Tries::default(), Instant::now());
    let asked = aws.sts.get_caller_identity().customize().interceptor(tries.clone()).send().await;
    let answer = asked.map_err(|e| tries.told(aws.error(&call, &e), begun))?;
    let parsed = |what: &str, e: String| Error::failed(doing).because(format!("STS answered an odd {what}: {e}"));
    Ok(Caller {
        account: answer.account().unwrap_or_default().parse().map_err(|e| parsed("account", format!("{e}")))?,
        arn: answer.arn().unwrap_or_default().parse().map_err(|e| parsed("ARN", format!("{e}")))?,
    })
}

/// How often a question was sent.
#[derive(Debug, Clone, Default)]
struct Tries(Arc<AtomicU32>);

impl Tries {
    /// The failure to reach somebody, with how often and how long that was tried.
    fn told(&self, error: Error, begun: Instant) -> Error {
        let (tries, seconds) = (self.0.load(Ordering::Relaxed), begun.elapsed().as_secs_f64().round());
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
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
