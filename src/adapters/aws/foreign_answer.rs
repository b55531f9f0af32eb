//! An answer that says all is well and is not the service's own: a proxy's page in its place, or one that is cut off.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

/// Has it asked for again: the next one may be the service's. The SDK takes it for a final word.
#[derive(Debug)]
pub(super) struct AskAgain;

impl ClassifyRetry for AskAgain {
    fn name(&self) -> &'static str {
        "karpctl-foreign-answer"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let unread = context.output_or_error().is_some_and(|outcome| outcome.is_err());
        let said_well = context.response().is_some_and(|response| response.status().is_success());
        if unread && said_well { RetryAction::transient_error() } else { RetryAction::NoActionIndicated }
    }
}
