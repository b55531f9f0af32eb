//! How often AWS is asked, as the environment or the profile says. It is read here and always handed over: left to read it by itself, the SDK
//! ends the whole program over a value that it does not know, and over an empty one.

use super::profiles::{files, variable};
use crate::error::{Error, Result, clean};
use aws_config::profile::ProfileSet;
use aws_smithy_types::retry::{RetryConfig, RetryMode, RetrySpec};

/// How often a call is tried, and by which rules.
pub(super) struct Retries {
    /// As it is said, else as the SDK does by itself.
    pub(super) config: RetryConfig,
    /// Whether somebody says how often: the number alone does not tell it from the SDK's own.
    pub(super) names_attempts: bool,
}

impl Retries {
    /// What the environment says, else the profile; an error where it is nothing that can be done.
    pub(super) fn read(profiles: Option<&ProfileSet>) -> Result<Self> {
        let attempts = said("AWS_MAX_ATTEMPTS", "max_attempts", profiles);
        let mut config = RetryConfig::standard();
        if let Some(said) = &attempts {
            let number = said.value.parse().ok().filter(|number| *number > 0);
            config = config.with_max_attempts(number.ok_or_else(|| said.is_not("a whole number, 1 or more"))?);
        }
        if let Some(said) = said("AWS_RETRY_MODE", "retry_mode", profiles) {
            // The mode that aws and boto3 had before the standard one. The SDK has it no more.
            let mode = if said.value.eq_ignore_ascii_case("legacy") { Ok(RetryMode::Standard) } else { said.value.parse() };
            config = config.with_retry_mode(mode.map_err(|_| said.is_not("standard, adaptive or legacy"))?);
        }
        if variable("AWS_NEW_RETRIES_2026").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            config = config.with_retry_spec(RetrySpec::v2_1());
        }
        Ok(Self { config, names_attempts: attempts.is_some() })
    }
}

/// A setting, and where it is said.
struct Said {
    place: String,
    value: String,
}

/// An empty value says nothing, as everywhere.
fn said(name: &str, key: &str, profiles: Option<&ProfileSet>) -> Option<Said> {
    let in_profile = || {
        let profiles = profiles?;
        let value = profiles.get(key).map(str::trim).filter(|value| !value.is_empty())?.to_owned();
        Some(Said { place: format!("{key} of the profile `{}` in {}", profiles.selected_profile(), files()), value })
    };
    variable(name).map(|value| Said { place: name.to_owned(), value }).or_else(in_profile)
}

impl Said {
    fn is_not(&self, expected: &str) -> Error {
        Error::usage(format!("{} is `{}`: expected {expected}", self.place, clean(&self.value)))
    }
}
