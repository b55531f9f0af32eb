//! SSM: the public parameters that name AMIs.

use super::errors::Call;
use super::{AwsClient, ec2, present};
use crate::error::Result;

pub(super) async fn ami_name(aws: &AwsClient, parameter: &str) -> Result<Option<String>> {
    let call = Call::new("ssm:GetParameter", parameter, format!("cannot read the SSM parameter {parameter}"));
    let answer = aws.ssm.get_parameter().name(parameter).send().await.map_err(|e| aws.error(&call, &e));
    let Some(answer) = present(answer)? else { return Ok(None) };
    match answer.parameter().and_then(|p| p.value()) {
        Some(id) => ec2::image_name(aws, id).await,
        None => Ok(None),
    }
}
