//! STS: who asks.

use super::AwsClient;
use super::errors::Call;
use crate::error::{Error, Result};
use crate::facts::Caller;

pub(super) async fn caller(aws: &AwsClient) -> Result<Caller> {
    let doing = "cannot find out who you are in AWS";
    let call = Call::new("sts:GetCallerIdentity", "*", doing);
    let answer = aws.sts.get_caller_identity().send().await.map_err(|e| aws.error(&call, &e))?;
    let parsed = |what: &str, e: String| Error::failed(doing).because(format!("STS answered an odd {what}: {e}"));
    Ok(Caller {
        account: answer.account().unwrap_or_default().parse().map_err(|e| parsed("account", format!("{e}")))?,
        arn: answer.arn().unwrap_or_default().parse().map_err(|e| parsed("ARN", format!("{e}")))?,
    })
}
