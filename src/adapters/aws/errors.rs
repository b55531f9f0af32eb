//! What the SDK says went wrong, as an [`Error`] that says what helps.

use super::AwsSettings;
use super::unreachable::{unreachable, unsent};
use crate::error::{Error, ErrorKind};
use crate::knowledge::{IamRefusal, Lapsed, MfaProfile, unknown_keys};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub(super) use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// One call: what an error about it must name.
pub(super) struct Call<'a> {
    /// What could not be done: "cannot create the stack Karpenter-demo".
    pub doing: String,
    /// `eks:CreateAccessEntry`: the action as a policy names it.
    pub action: &'static str,
    /// What it is done to: an ARN where there is one, else a name, else `*`.
    pub on: &'a str,
}

impl<'a> Call<'a> {
    /// A call of an action on something.
    pub(super) fn new(action: &'static str, on: &'a str, doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), action, on }
    }

    pub(super) fn service(&self) -> &str {
        self.action.split(':').next().unwrap_or_default()
    }
}

/// Remembers where each service was last looked for: an endpoint may come from the environment, from a profile or from the
/// region, and a failure to connect has to name it.
///
/// And why credentials could not be had the first time: the SDK's profile provider says it once, and from then on only that it
/// has said it.
///
/// And which profile wants an MFA code, of which a refusal says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    endpoints: BTreeMap<String, String>,
    no_credentials: Option<String>,
    mfa_profile: Option<String>,
    clock_ahead: Option<i64>,
}

impl Seen {
    /// Of a profile that wants an MFA code.
    pub(super) fn with_mfa(profile: Option<&str>) -> Self {
        Self(Arc::new(Mutex::new(Remembered { mfa_profile: profile.map(str::to_owned), ..Remembered::default() })))
    }

    fn mfa_profile(&self) -> Option<String> {
        self.0.lock().ok()?.mfa_profile.clone()
    }

    pub(super) fn endpoint(&self, service: &str) -> Option<String> {
        self.0.lock().ok()?.endpoints.get(service).cloned()
    }

    fn remember(&self, service: String, endpoint: String) {
        if let Ok(mut seen) = self.0.lock() {
            seen.endpoints.insert(service, endpoint);
        }
    }

    /// How many seconds this clock is ahead of AWS's. An answer that took long tells it worse, so the smallest difference counts.
    pub(super) fn clock_ahead(&self) -> Option<i64> {
        self.0.lock().ok()?.clock_ahead
    }

    fn remember_clock(&self, ahead: i64) {
        if let Ok(mut seen) = self.0.lock() {
            seen.clock_ahead = Some(seen.clock_ahead.map_or(ahead, |before| if ahead.abs() < before.abs() { ahead } else { before }));
        }
    }

    /// Why there are no credentials, in the words in which it was said first.
    pub(super) fn first_reason(&self, why: &str) -> String {
        match self.0.lock() {
            Ok(seen) if why.contains("error already taken") => seen.no_credentials.clone().unwrap_or_else(|| why.to_owned()),
            Ok(mut seen) => seen.no_credentials.insert(why.to_owned()).clone(),
            Err(_) => why.to_owned(),
        }
    }
}

impl Intercept for Seen {
    fn name(&self) -> &'static str {
        "karpctl-endpoint"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), aws_smithy_runtime_api::box_error::BoxError> {
        let service =
            bag.load::<aws_smithy_runtime_api::client::orchestrator::Metadata>().map(|m| m.service().to_lowercase().replace(' ', ""));
        let uri = context.request().uri().parse::<http::Uri>().ok();
        if let (Some(service), Some((scheme, authority))) = (service, uri.as_ref().and_then(|u| Some((u.scheme_str()?, u.authority()?)))) {
            self.remember(service, format!("{scheme}://{authority}"));
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), aws_smithy_runtime_api::box_error::BoxError> {
        let said = context.response().headers().get("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let Some(said) = said {
            self.remember_clock(DateTime::from(SystemTime::now()).secs() - said.secs());
        }
        Ok(())
    }
}

/// What helps where a call needs a region and there is none.
const REGION_HINT: &str = "say which: --region, AWS_REGION, or `region` of the profile in ~/.aws/config";

/// No region, where one is needed.
pub(super) fn no_region(doing: &str) -> Error {
    Error::usage(doing).because("no AWS region is set").hint(REGION_HINT)
}

/// The SDK's error as ours.
pub(super) fn of_sdk<E>(call: &Call<'_>, error: &SdkError<E, HttpResponse>, settings: &AwsSettings, seen: &Seen) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) if answer.raw().status().is_success() => {
            let status = answer.raw().status().as_u16();
            unreachable(call, &format!("the answer (status {status}) is not the service's own: something else answers in its place"), seen)
        }
        SdkError::ServiceError(answer) => {
            let answered = Answered {
                code: answer.err().code().unwrap_or_default(),
                message: answer.err().message().unwrap_or_default(),
                status: answer.raw().status().as_u16(),
            };
            of_answer(call, &answered, settings, seen)
        }
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            // Of karpctl's own objection only what it says.
            let why = chain(error);
            let why = why.rsplit("interceptor encountered an error: ").next().unwrap_or_default();
            unreachable(call, &format!("the answer (status {status}) cannot be read: {why}"), seen)
        }
        SdkError::TimeoutError(_) => unsent(call, &chain(error), seen),
        _ => of_sending(call, error, settings, seen),
    }
}

/// A service's answer that is an error.
struct Answered<'a> {
    code: &'a str,
    message: &'a str,
    status: u16,
}

impl Answered<'_> {
    fn text(&self) -> String {
        match (self.code, self.message) {
            ("", "") => format!("status {}", self.status),
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        }
    }
}

fn of_answer(call: &Call<'_>, answer: &Answered<'_>, settings: &AwsSettings, seen: &Seen) -> Error {
    let kind = kind(answer.code, answer.message, answer.status);
    match kind {
        ErrorKind::Credentials => {
            let error = Error::new(kind, &call.doing).because(format!("{}: {}", call.action, answer.text()));
            with_log_in(error, &answer.text(), settings)
        }
        ErrorKind::Denied => denied(call, answer),
        ErrorKind::Unreachable => unreachable(call, &answer.text(), seen),
        _ => {
            let error = Error::new(kind, &call.doing).because(format!("{}: {}", call.action, answer.text()));
            if is_quota(answer.code) {
                let service = call.service();
                return error.hint(format!(
                    "raise the quota, or remove what is not needed: `aws service-quotas list-service-quotas --service-code {service}`"
                ));
            }
            error
        }
    }
}

/// The kind that a code means. Services disagree on their codes; the status decides where a code is not known.
fn kind(code: &str, message: &str, status: u16) -> ErrorKind {
    // EC2 and older services put the fault before the code.
    let code = code.trim_start_matches("Client.").trim_start_matches("Server.");
    match code {
        // SQS says so to whom its policies do not let look.
        _ if message.contains("queue does not exist or you do not have access") => ErrorKind::Denied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException"
        | "AuthFailure"
        | "InvalidAccessKeyId"
        | "IncompleteSignature"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidToken" => ErrorKind::Credentials,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthorizationError"
        | "NotAuthorized"
        | "OptInRequired"
        | "UnauthorizedException"
        | "UnauthorizedAccess" => ErrorKind::Denied,
        "EntityAlreadyExists"
        | "AlreadyExistsException"
        | "ResourceInUseException"
        | "ResourceInUse"
        | "DeleteConflict"
        | "ConcurrentModification"
        | "ConflictException"
        | "OperationInProgressException"
        | "TokenAlreadyExistsException" => ErrorKind::Conflict,
        "NoSuchEntity"
        | "ResourceNotFoundException"
        | "NotFoundException"
        | "ParameterNotFound"
        | "NoSuchResourceException"
        | "StackNotFoundException"
        | "InvalidLaunchTemplateId.VersionNotFound"
        | "QueueDoesNotExist" => ErrorKind::NotFound,
        "RequestLimitExceeded"
        | "SlowDown"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete"
        | "InternalError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "Unavailable"
        | "RequestTimeout"
        | "RequestTimeoutException" => ErrorKind::Unreachable,
        _ if code.contains("Throttl") => ErrorKind::Unreachable,
        // IAM says so with status 409, but looking again would not help.
        _ if is_quota(code) => ErrorKind::Failed,
        _ if code.ends_with(".NonExistentQueue") => ErrorKind::NotFound,
        _ if code.ends_with(".NotFound") || code.ends_with(".NotFoundException") => ErrorKind::NotFound,
        _ if code.ends_with(".Duplicate") || code.ends_with("AlreadyExists") => ErrorKind::Conflict,
        // CloudFormation has one code for everything.
        "ValidationError" if message.contains("does not exist") => ErrorKind::NotFound,
        "ValidationError" if message.contains("_IN_PROGRESS state") || is_busy(message) => ErrorKind::Conflict,
        "ValidationError" if message.contains("DELETE_COMPLETE state") => ErrorKind::NotFound,
        _ => match status {
            404 => ErrorKind::NotFound,
            403 => ErrorKind::Denied,
            401 => ErrorKind::Credentials,
            409 => ErrorKind::Conflict,
            429 | 500..=599 => ErrorKind::Unreachable,
            _ => ErrorKind::Failed,
        },
    }
}

/// CloudFormation deletes no stack that it is at, its tidying up after an update included.
fn is_busy(message: &str) -> bool {
    message.contains("cannot be deleted while in status") && message.contains("_IN_PROGRESS")
}

fn is_quota(code: &str) -> bool {
    code.contains("LimitExceeded") || code.contains("QuotaExceeded")
}

fn of_sending<E>(call: &Call<'_>, error: &SdkError<E, HttpResponse>, settings: &AwsSettings, seen: &Seen) -> Error
where
    E: std::error::Error + 'static,
{
    let mut below: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = below {
        if let Some(why) = cause.downcast_ref::<CredentialsError>() {
            return no_credentials(&call.doing, why, settings, seen);
        }
        below = cause.source();
    }
    let text = chain(error);
    if text.contains("failed to create canonical request") {
        let why = "a key or the session token has characters that no request can carry, such as the end of a line";
        return credentials(&call.doing, why, settings).detail(text);
    }
    if text.contains("credentials") || text.contains("no providers in chain provided") {
        return credentials(&call.doing, &text, settings);
    }
    if text.contains("egion") && (text.contains("Missing Region") || text.contains("region must be set") || text.contains("region was not"))
    {
        return no_region(&call.doing);
    }
    match error {
        SdkError::DispatchFailure(_) => unsent(call, &text, seen),
        _ => Error::failed(&call.doing).because(format!("{}: {text}", call.action)),
    }
}

/// The causes below an SDK error in one line, without what each level only repeats.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut below = Some(error);
    while let Some(cause) = below {
        let text = cause.to_string();
        if !text.is_empty() && !parts.iter().any(|p| p.contains(&text)) {
            parts.push(text);
        }
        below = cause.source();
    }
    parts.join(": ")
}

fn profile_flag(settings: &AwsSettings) -> String {
    settings.profile.as_ref().map(|p| format!(" --profile {p}")).unwrap_or_default()
}

/// The SDK found no credentials, or could not load them.
pub(super) fn no_credentials(doing: &str, error: &CredentialsError, settings: &AwsSettings, seen: &Seen) -> Error {
    let why = seen.first_reason(&chain(error));
    // A role that is content without the code is taken.
    if let Some(profile) = seen.mfa_profile().filter(|_| why.contains("sts:AssumeRole")) {
        let wants = MfaProfile(&profile);
        return Error::new(ErrorKind::Credentials, doing).because(wants.said()).because(&why).hint(wants.help());
    }
    let nothing = "the credential provider was not enabled";
    if let (Some(profile), true) = (&settings.profile, why == nothing) {
        return Error::new(ErrorKind::Credentials, doing)
            .because(format!("the profile `{profile}` names no credentials"))
            .hint(format!("give it some: `aws configure sso --profile {profile}`, or `aws configure --profile {profile}` for keys"));
    }
    // With nothing to take them from, the SDK ends with whatever the last place that it looks at says: the instance's metadata.
    let why = why.strip_prefix(&format!("{nothing}: ")).unwrap_or(&why);
    if why.starts_with("no credentials found in chain") || why.contains("IMDS") {
        let profile = std::env::var("AWS_PROFILE").ok().filter(|profile| !profile.is_empty());
        let of_profile = profile.map(|profile| format!(": the profile `{profile}` of AWS_PROFILE has none")).unwrap_or_default();
        return credentials(doing, &format!("there are no AWS credentials{of_profile}"), settings).detail(why);
    }
    credentials(doing, why, settings)
}

fn credentials(doing: &str, why: &str, settings: &AwsSettings) -> Error {
    with_log_in(Error::new(ErrorKind::Credentials, doing).because(why), why, settings)
}

/// What helps where the credentials are none, or not good any more.
fn with_log_in(error: Error, why: &str, settings: &AwsSettings) -> Error {
    let profile = profile_flag(settings);
    let error = if Lapsed::read(why).is_some() {
        error.hint(format!("log in again: `aws sso login{profile}`, or whatever gave you the credentials that have ended"))
    } else if why.to_lowercase().contains("signature") {
        error.hint("the secret key does not belong to the access key, or this machine's clock is wrong")
    } else {
        error.hint("give credentials: --profile, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    };
    // A region that is not enabled does not know the keys of its account.
    let error = if unknown_keys(why) {
        error.hint(format!(
            "or the account has not enabled this region; these it has: `aws account list-regions{profile} --region-opt-status-contains ENABLED ENABLED_BY_DEFAULT`"
        ))
    } else {
        error
    };
    error.hint(format!("see who AWS takes you for: `aws sts get-caller-identity{profile}`"))
}

fn denied(call: &Call<'_>, answer: &Answered<'_>) -> Error {
    // EC2 adds a kilobyte that only another API call can read.
    let message = answer.message.split(" Encoded authorization failure message").next().unwrap_or_default();
    let shown = Answered { code: answer.code, message, status: answer.status };
    let refusal = IamRefusal::of_call(message, call.action, call.on);
    Error::new(ErrorKind::Denied, &call.doing).because(format!("{} is denied: {}", call.action, shown.text())).hint(refusal.help())
}
