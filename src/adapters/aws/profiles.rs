//! The profiles of the AWS configuration files.

use super::errors::chain;
use crate::error::{Error, ErrorKind, did_you_mean};
use aws_config::profile::{Profile, ProfileSet};
use aws_runtime::env_config::error::EnvConfigFileLoadError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use jiff::Timestamp;
use std::borrow::Cow;

/// The names of the profiles, sorted; none where the files are not there or cannot be read: then whoever needs credentials says so.
pub async fn profiles() -> Vec<String> {
    load(None).await.as_ref().map(names).unwrap_or_default()
}

/// The profiles, and which of them is meant: the one that is named here, else that of `AWS_PROFILE`.
pub(super) async fn load(named: Option<&str>) -> Result<ProfileSet, EnvConfigFileLoadError> {
    let named = named.map(|name| Cow::Owned(name.to_owned()));
    aws_config::profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), named).await
}

fn names(set: &ProfileSet) -> Vec<String> {
    let mut names: Vec<String> = set.profiles().map(str::to_owned).collect();
    names.sort();
    names
}

/// Where the SDK finds credentials whatever the profile says, or goes on looking where there is no such profile.
const BESIDE: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// Whether there are credentials that do not come from a profile.
pub(super) fn are_given_beside() -> bool {
    BESIDE.iter().any(|name| variable(name).is_some())
}

/// Whether there are keys in the environment.
pub(super) fn are_keys_given() -> bool {
    variable("AWS_ACCESS_KEY_ID").is_some()
}

/// When whoever put the keys into the environment takes them away, in seconds since 1970: aws-vault and `aws configure export-credentials`
/// write the first, granted and older ones of aws-vault the second. The SDK passes over both.
pub(super) fn keys_end() -> Option<i64> {
    let said = ["AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION"].into_iter().find_map(variable).filter(|_| are_keys_given())?;
    said.parse().ok().map(Timestamp::as_second)
}

/// What a variable says; one of blanks says nothing.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What is wrong with the profile that is meant, the one that is named here or that of `AWS_PROFILE`: it is not there, or what it takes its
/// credentials from is not. The SDK passes over it, and says only that there are no credentials, or no region.
pub(super) fn problem(loaded: &Result<ProfileSet, EnvConfigFileLoadError>, named: Option<&str>) -> Option<Error> {
    let set = match loaded {
        Ok(set) => set,
        Err(e) => return Some(unreadable(e)),
    };
    let by = if named.is_some() { "--profile" } else { "AWS_PROFILE" };
    let meant = set.selected_profile();
    // Nobody named the default.
    if set.get_profile(meant).is_none() && (named.is_some() || variable("AWS_PROFILE").is_some()) {
        return Some(missing(set, meant, &format!("there is no profile `{meant}` ({by}) in {}", files())));
    }
    behind(set, meant)
}

/// What is not there of what a profile takes its credentials from.
fn behind(set: &ProfileSet, meant: &str) -> Option<Error> {
    line(set, meant).into_iter().find_map(|profile| {
        let name = profile.name();
        if let Some(session) = profile.get("sso_session").filter(|session| set.sso_session(session).is_none()) {
            let error = Error::new(
                ErrorKind::Credentials,
                format!("the profile `{name}` names the sso-session `{session}`, and {} has no section [sso-session {session}]", config()),
            );
            let near = did_you_mean(session, set.sso_sessions());
            return Some(near.into_iter().fold(error, Error::hint).hint("`aws configure sso-session` writes one"));
        }
        let source = source(profile).filter(|source| set.get_profile(source).is_none())?;
        let said =
            format!("the profile `{name}` takes its credentials from the profile `{source}` (source_profile), which is not in {}", files());
        Some(missing(set, source, &said))
    })
}

/// The profile that is meant, where its role, or one that is taken on the way to it, is to be taken with an MFA code.
pub(super) fn asks_mfa(set: &ProfileSet) -> Option<&str> {
    let meant = set.selected_profile();
    line(set, meant).iter().any(|profile| profile.get("role_arn").is_some() && profile.get("mfa_serial").is_some()).then_some(meant)
}

/// The profiles that one takes its credentials from, itself first, as far as they are there.
fn line<'a>(set: &'a ProfileSet, meant: &str) -> Vec<&'a Profile> {
    let mut line: Vec<&Profile> = set.get_profile(meant).into_iter().collect();
    while let Some(next) = line.last().and_then(|last| set.get_profile(source(last)?))
        && line.iter().all(|passed| passed.name() != next.name())
    {
        line.push(next);
    }
    line
}

fn source(profile: &Profile) -> Option<&str> {
    profile.get("source_profile").filter(|_| profile.get("role_arn").is_some())
}

fn missing(set: &ProfileSet, name: &str, said: &str) -> Error {
    let error = Error::new(ErrorKind::Credentials, said);
    if set.is_empty() {
        return error.hint("there is no profile at all: `aws configure sso`, or `aws configure` for keys, makes one");
    }
    let names = names(set);
    let near = did_you_mean(name, names.iter().map(String::as_str));
    near.into_iter().fold(error, Error::hint).hint("see which there are: `aws configure list-profiles`")
}

fn unreadable(e: &EnvConfigFileLoadError) -> Error {
    let error = Error::new(ErrorKind::Credentials, "cannot read the AWS configuration");
    let said = chain(e);
    let parsed = said.split_once("error parsing ").and_then(|(_, said)| {
        let (file, said) = said.split_once(" on line ")?;
        let (line, why) = said.split_once(':')?;
        Some(format!("{file}, line {line}: {}", why.trim()))
    });
    error.because(parsed.unwrap_or(said)).hint("mend it there; AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name other files")
}

/// Where profiles are looked for.
pub(super) fn files() -> String {
    format!("{} or {}", config(), file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
}

fn config() -> String {
    file("AWS_CONFIG_FILE", "~/.aws/config")
}

fn file(by: &str, usual: &str) -> String {
    variable(by).map_or_else(|| usual.to_owned(), |path| format!("{path} ({by})"))
}
