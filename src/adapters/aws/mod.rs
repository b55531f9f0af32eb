//! AWS through its SDK. One file a service; [`errors`] turns what the SDK says into [`Error`]s.

mod cloudformation;
mod ec2;
mod ec2_network;
mod ec2_vpc;
mod eks;
mod eks_fargate;
mod eks_groups;
mod eks_shapes;
mod eks_token;
mod endpoints;
mod errors;
mod foreign_answer;
mod http;
mod iam;
mod iam_judged;
mod kms;
mod port;
mod profiles;
mod queue;
mod quotas;
mod renewed;
mod retries;
mod ssm;
mod sts;
mod unreachable;

pub use eks_token::presigned;
pub use profiles::profiles;

use self::errors::{Call, Seen};
use crate::error::{Error, ErrorKind, Result};
use crate::spec::Region;
use aws_config::identity::IdentityCache;
use aws_config::{AppName, BehaviorVersion};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::timeout::TimeoutConfig;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How often a call is tried before it is given up: throttling of a busy account takes longer than the SDK's three attempts.
const ATTEMPTS: u32 = 5;
/// How long a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long one attempt may wait for its answer; left alone, the SDK waits for ever.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How long one attempt may take until its answer is there whole.
const WHOLE_TIME: Duration = Duration::from_mins(1);
/// The same of the question who asks, which comes first and is the smallest that there is: who hears nothing of it hears nothing of AWS.
const FIRST_ANSWER_TIME: Duration = Duration::from_secs(10);
/// How long that question is tried in all, from its first sending on, where nobody says how often.
const FIRST_TIME: Duration = Duration::from_secs(30);
/// How long signing in may take before that: a profile's program may ask a person, in a browser or by a second factor. The aws CLI waits for ever.
const SIGNING_IN_TIME: Duration = Duration::from_hours(1);

/// What of the AWS settings was said on the command line or in the spec. Everything else is the SDK's: environment, profiles,
/// SSO, endpoints, retries, proxies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AwsSettings {
    /// The region. `None`: what the SDK's chain says.
    pub region: Option<String>,
    /// The profile. `None`: what the SDK's chain says.
    pub profile: Option<String>,
}

/// AWS, for one account and region.
pub struct AwsClient {
    settings: AwsSettings,
    config: aws_config::SdkConfig,
    seen: Seen,
    /// How long it is asked who asks. `None`: as often as somebody says.
    first_time: Option<Duration>,
    sts: aws_sdk_sts::Client,
    cloudformation: aws_sdk_cloudformation::Client,
    eks: aws_sdk_eks::Client,
    iam: aws_sdk_iam::Client,
    kms: aws_sdk_kms::Client,
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
    sqs: aws_sdk_sqs::Client,
    events: aws_sdk_eventbridge::Client,
    quotas: aws_sdk_servicequotas::Client,
}

impl AwsClient {
    /// A client with these settings. Reads the SDK's configuration; no AWS service is called yet. A profile that is needed and is not there is
    /// an error.
    pub async fn connect(settings: &AwsSettings) -> Result<Self> {
        let http = http::client()?;
        let patience = TimeoutConfig::builder().connect_timeout(CONNECT_TIME).read_timeout(ANSWER_TIME);
        let patience = patience.operation_attempt_timeout(WHOLE_TIME).build();
        let named = settings.profile.as_deref();
        let loaded = profiles::load(named).await;
        let retries = retries::Retries::read(loaded.as_ref().ok())?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone()).timeout_config(patience);
        loader = loader.identity_cache(IdentityCache::lazy().load_timeout(SIGNING_IN_TIME).build());
        loader = loader.retry_config(retries.config.clone());
        if let Ok(name) = AppName::new(concat!("karpctl-", env!("CARGO_PKG_VERSION"))) {
            loader = loader.app_name(name);
        }
        if let Some(region) = &settings.region {
            loader = loader.region(aws_config::Region::new(region.clone()));
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        let mut config = loader.load().await;
        // The region of a profile that is not there is missed before its credentials are.
        let needs_profile = settings.profile.is_some() || config.region().is_none() || !profiles::are_given_beside();
        if needs_profile && let Some(problem) = profiles::problem(&loaded, named) {
            return Err(problem);
        }
        let profiles = loaded.ok();
        let seen = Seen::with_mfa(profiles.as_ref().and_then(profiles::asks_mfa));
        if let Some(problem) = endpoints::problem(profiles.as_ref(), named) {
            return Err(problem);
        }
        config = config.clone().into_builder().service_config(endpoints::NotEmpty { sdk: config, profiles }).build();
        if !retries.names_attempts {
            config = config.into_builder().retry_config(retries.config.with_max_attempts(ATTEMPTS)).build();
        }
        // A profile that was named goes before keys in the environment, as it does for the aws CLI and eksctl; AWS_PROFILE does not.
        let by_profile = Arc::new(AtomicBool::default());
        if let Some(sdk) = config.credentials_provider() {
            let (profile, region) = (settings.profile.clone(), config.region().cloned());
            let mut provider = renewed::Renewed { sdk, profile, http, region, by_profile: by_profile.clone() };
            if settings.profile.is_some() {
                provider.sdk = SharedCredentialsProvider::new(provider.profile_provider());
            }
            config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
        }
        // Signing in is part of the SDK's operations and their attempts, so neither has an end here.
        let patience = TimeoutConfig::builder().connect_timeout(CONNECT_TIME).read_timeout(FIRST_ANSWER_TIME).build();
        let first = config.clone().into_builder().timeout_config(patience).build();
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    client!($sdk, config, of).retry_classifier(renewed::AskWithNew { by_profile: by_profile.clone() }).build(),
                )
            };
            ($sdk:ident, $config:ident, of) => {
                $sdk::config::Builder::from(&$config)
                    .interceptor(seen.clone())
                    .interceptor(foreign_answer::NoPage)
                    .retry_classifier(foreign_answer::AskAgain)
            };
        }
        Ok(Self {
            settings: settings.clone(),
            // What has ended before anything was asked is not waited for.
            sts: aws_sdk_sts::Client::from_conf(client!(aws_sdk_sts, first, of).build()),
            cloudformation: client!(aws_sdk_cloudformation),
            eks: client!(aws_sdk_eks),
            iam: client!(aws_sdk_iam),
            kms: client!(aws_sdk_kms),
            ec2: client!(aws_sdk_ec2),
            ssm: client!(aws_sdk_ssm),
            sqs: client!(aws_sdk_sqs),
            events: client!(aws_sdk_eventbridge),
            quotas: client!(aws_sdk_servicequotas),
            seen,
            first_time: (!retries.names_attempts).then_some(FIRST_TIME),
            config,
        })
    }

    /// The region that the settings, the environment or the profile name.
    #[must_use]
    pub fn region(&self) -> Option<String> {
        self.config.region().map(ToString::to_string)
    }

    /// The account that the credentials themselves name, where they do (SSO and assumed roles); nothing is asked of AWS for it.
    pub async fn account(&self) -> Option<String> {
        match self.config.credentials_provider()?.provide_credentials().await {
            Ok(credentials) => credentials.account_id().map(|id| id.as_str().to_owned()),
            Err(e) => {
                // The next call will fail over it, and needs the reason.
                errors::no_credentials("", &e, &self.settings, &self.seen);
                None
            }
        }
    }

    /// The region, as the calls that need one by name want it.
    fn known_region(&self, doing: &str) -> Result<Region> {
        let text = self.region().ok_or_else(|| errors::no_region(doing))?;
        text.parse().map_err(|e| Error::usage(doing).because(format!("{e}")))
    }

    /// The SDK's error as ours.
    fn error<E>(&self, call: &Call<'_>, error: &SdkError<E, errors::HttpResponse>) -> Error
    where
        E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
    {
        errors::of_sdk(call, error, &self.settings, &self.seen)
    }
}

impl std::fmt::Debug for AwsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The answer, or `None` where the service says that there is no such thing.
fn present<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// For removals: that it is gone already is as good.
fn gone<T>(result: Result<T>) -> Result<()> {
    present(result).map(drop)
}
