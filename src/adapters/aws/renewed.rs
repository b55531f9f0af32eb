//! Keys of a profile that a log-in program writes anew while karpctl works: they say nothing of their end, and the SDK reads a profile once.

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::{ProvideCredentials, Result, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_types::region::Region;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// The SDK's credentials; where they come from a profile, as its files have them now.
#[derive(Debug)]
pub(super) struct Renewed {
    /// The SDK's own, with all that they keep.
    pub(super) sdk: SharedCredentialsProvider,
    pub(super) profile: Option<String>,
    pub(super) http: SharedHttpClient,
    pub(super) region: Option<Region>,
    /// Whether a profile had some before: nothing else is put in the place of what ends in the middle of a run.
    pub(super) by_profile: Arc<AtomicBool>,
}

impl Renewed {
    /// A provider that has read nothing yet.
    pub(super) fn profile_provider(&self) -> ProfileFileCredentialsProvider {
        let config = ProviderConfig::without_region().with_http_client(self.http.clone()).with_region(self.region.clone());
        let provider = ProfileFileCredentialsProvider::builder().configure(&config);
        match &self.profile {
            Some(name) => provider.profile_name(name).build(),
            None => provider.build(),
        }
    }

    async fn load(&self) -> Result {
        let kept = self.sdk.provide_credentials().await?;
        self.by_profile.store(features(&kept).contains(&AwsCredentialFeature::CredentialsProfile), Ordering::Relaxed);
        if !are_written(&kept) {
            return Ok(kept);
        }
        // Files that are just being written are read with the next call.
        let now = self.profile_provider().provide_credentials().await.ok();
        let mut now = now.filter(|now| are_of_one_account(kept.access_key_id(), now.access_key_id())).unwrap_or(kept);
        // To be asked for again with the next call: a file is read sooner than AWS answers.
        if are_written(&now) {
            *now.expiry_mut() = Some(SystemTime::now());
        }
        Ok(now)
    }
}

/// Programs that log in write one profile for every account, and a run that began in one, with the keys that the SDK keeps, ends in it.
fn are_of_one_account(kept: &str, now: &str) -> bool {
    let account = account_of(kept);
    kept == now || account.is_some() && account == account_of(now)
}

/// The account whose key this is: it stands in the id, in base 32, from its fifth character on, 40 bits after the first of all. `None`: not
/// in this one, as in those of before 2019.
fn account_of(key: &str) -> Option<u64> {
    let coded = key.get(4..14)?.bytes();
    let bits = coded.map(|letter| match letter {
        b'A'..=b'Z' => Some(u64::from(letter - b'A')),
        b'2'..=b'7' => Some(u64::from(letter - b'2') + 26),
        _ => None,
    });
    let bits = bits.into_iter().try_fold(0, |all, bits| Some(all << 5 | bits?))?;
    Some(bits >> 9 & 0xff_ffff_ffff)
}

impl ProvideCredentials for Renewed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.sdk.fallback_on_interrupt()
    }
}

fn features(credentials: &Credentials) -> &[AwsCredentialFeature] {
    credentials.get_property::<Vec<AwsCredentialFeature>>().map_or(&[], Vec::as_slice)
}

/// Whether they stand in a profile as they are, and end: a session token is never for good.
fn are_written(credentials: &Credentials) -> bool {
    let in_profile = |feature: &AwsCredentialFeature| {
        matches!(feature, AwsCredentialFeature::CredentialsProfile | AwsCredentialFeature::ResolvedAccountId)
    };
    let features = features(credentials);
    credentials.session_token().is_some() && credentials.expiry().is_none() && !features.is_empty() && features.iter().all(in_profile)
}

/// Has it asked for again where a session of a profile has ended: by then it may have been renewed. The SDK takes it for a final word.
#[derive(Debug)]
pub(super) struct AskWithNew {
    /// See [`Renewed::by_profile`].
    pub(super) by_profile: Arc<AtomicBool>,
}

/// What services say of a session that has ended, whatever they write it in.
const ENDED: [&[u8]; 2] = [b"ExpiredToken", b"RequestExpired"];

impl ClassifyRetry for AskWithNew {
    fn name(&self) -> &'static str {
        "karpctl-renewed"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let refused = context.response().filter(|response| matches!(response.status().as_u16(), 400 | 401 | 403));
        let says = |text: &[u8]| ENDED.iter().any(|ended| text.windows(ended.len()).any(|part| part == *ended));
        let has_ended = refused.is_some_and(|response| {
            let header = response.headers().get("x-amzn-errortype").is_some_and(|kind| says(kind.as_bytes()));
            header || response.body().bytes().is_some_and(says)
        });
        if has_ended && self.by_profile.load(Ordering::Relaxed) { RetryAction::transient_error() } else { RetryAction::NoActionIndicated }
    }
}

#[cfg(test)]
mod tests {
    use super::account_of;

    #[test]
    fn a_key_says_whose_it_is() {
        assert_eq!(account_of("ASIAQNZGKIQY56JQ7WML"), Some(29_608_264_753));
        assert_eq!(["AKIAIOSFODNN7EXAMPLE", "test", "ASIA", "ASIA0000000000000000"].map(account_of)[1..], [None, None, None]);
    }
}
