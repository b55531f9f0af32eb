//! At which address a service is asked, as the environment or the profile says. An empty one counts as unset, as for aws; the SDK takes it for an
//! address, and ends the whole program over it.

use super::profiles::{are_keys_given, files, variable};
use crate::error::Error;
use aws_config::SdkConfig;
use aws_config::profile::ProfileSet;
use aws_runtime::env_config::EnvConfigValue;
use aws_types::os_shim_internal::Env;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

const VARIABLE: &str = "AWS_ENDPOINT_URL";
const KEY: &str = "endpoint_url";

/// The settings of single services, without those that are empty.
#[derive(Debug)]
pub(super) struct NotEmpty {
    /// With the SDK's own way to them.
    pub(super) sdk: SdkConfig,
    pub(super) profiles: Option<ProfileSet>,
}

impl LoadServiceConfig for NotEmpty {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let first = self.sdk.service_config()?.load_config(key.clone())?;
        if !is_blank(&first) {
            return Some(first);
        }
        // The SDK goes on to nothing behind an empty one: the next in its order.
        let of_service = format!("{}_{}", key.env(), in_variables(key.service_id()));
        let of_profile = self.profiles.as_ref().and_then(|profiles| {
            let both = EnvConfigValue::new().profile(key.profile()).service_id(key.service_id());
            let value = both.load(&Env::real(), Some(profiles)).map(|(value, _)| value.into_owned());
            value.filter(|value| !is_blank(value)).or_else(|| profiles.get(key.profile()).map(str::to_owned))
        });
        variable(&of_service).or_else(|| variable(key.env())).or(of_profile).filter(|value| !is_blank(value))
    }
}

/// The services that credentials come from. The SDK's own providers ask them, and read these settings by themselves.
const OF_CREDENTIALS: [&str; 4] = ["STS", "SSO", "SSO OIDC", "Signin"];
/// What a profile says whose credentials come from one of them.
const BY_SERVICE: [&str; 6] = ["role_arn", "sso_session", "sso_start_url", "sso_account_id", "login_session", "web_identity_token_file"];

/// What is wrong with an empty endpoint: nothing, unless the SDK's own providers would take it for an address.
pub(super) fn problem(profiles: Option<&ProfileSet>, named: Option<&str>) -> Option<Error> {
    let env = Env::real();
    let is_empty = |service: &str| {
        let value = EnvConfigValue::new().env(VARIABLE).profile(KEY).service_id(service);
        value.load(&env, profiles).is_some_and(|(value, _)| is_blank(&value))
    };
    let service = OF_CREDENTIALS.into_iter().find(|service| is_empty(service))?;
    let of_service = format!("{VARIABLE}_{}", in_variables(service));
    let profile = profiles.and_then(|profiles| profiles.get_profile(profiles.selected_profile()));
    let comes_from_service = match profile {
        _ if named.is_none() && are_keys_given() => false,
        Some(profile) if BY_SERVICE.iter().any(|key| profile.get(key).is_some()) => true,
        Some(profile) if profile.get("aws_access_key_id").is_some() => false,
        _ => variable("AWS_WEB_IDENTITY_TOKEN_FILE").is_some(),
    };
    let place = match [of_service.as_str(), VARIABLE].into_iter().find(|name| std::env::var_os(name).is_some()) {
        Some(name) => name.to_owned(),
        None => format!("{KEY} of the profile `{}` in {}", profile.map_or("default", |profile| profile.name()), files()),
    };
    comes_from_service.then(|| {
        Error::usage(format!("{place} is empty, and the credentials come from {service}"))
            .hint("unset it, or let it be the whole URL of what answers in AWS's place")
    })
}

fn is_blank(value: &str) -> bool {
    value.trim().is_empty()
}

/// A service as it is called at the end of a variable's name.
fn in_variables(service: &str) -> String {
    service.to_uppercase().replace(' ', "_")
}
