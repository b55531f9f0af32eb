//! An answer that says all is well and is not the service's own: a proxy's page in its place, or one that is cut off.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeDeserializationInterceptorContextRef, InterceptorContext};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Takes a page for no answer. To the SDK an answer that has nothing to say is well whatever it holds: that of `DeleteStack` for one.
#[derive(Debug)]
pub(super) struct NoPage;

impl Intercept for NoPage {
    fn name(&self) -> &'static str {
        "karpctl-no-page"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let is_page = response.headers().get("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        if response.status().is_success() && is_page {
            return Err("it is a page, not the service's own: something else answers in its place".into());
        }
        Ok(())
    }
}

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
