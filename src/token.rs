//! The answer of a Kubernetes credential plugin, pure: clients say in `KUBERNETES_EXEC_INFO` which `apiVersion` they want, and
//! refuse every other.

use crate::error::{Error, Result, clean};
use crate::knowledge::ExecApiVersion;
use crate::knowledge::exec::{COMMON, EXEC_INFO, full, version_of};
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};

/// EKS takes a token for 15 minutes; clients should ask for the next one before that.
const LIFETIME: SignedDuration = SignedDuration::from_mins(14);

/// Until when a client may use a token that is made now.
#[must_use]
pub fn expiry(now: Timestamp) -> Timestamp {
    now.saturating_add(LIFETIME).unwrap_or(now)
}

/// The `ExecCredential` document with this token, in the version that the client [asks for](asked_for). It is a secret.
#[must_use]
pub fn answer(version: ExecApiVersion, token: &str, expires: Timestamp) -> String {
    // Some clients want RFC 3339 without a fraction; half a second does no harm.
    let expires = expires.round(Unit::Second).unwrap_or(expires);
    json!({
        "kind": "ExecCredential",
        "apiVersion": full(version),
        "spec": {},
        "status": {"expirationTimestamp": expires.to_string(), "token": token},
    })
    .to_string()
}

/// The version that a client asks for by [`EXEC_INFO`]; an error where it asks for none that there is. One that says nothing is older than the variable, or a person: both take `v1beta1`.
pub fn asked_for(exec_info: Option<&str>) -> Result<ExecApiVersion> {
    let Some(text) = exec_info.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(COMMON) };
    let malformed = |why: String| {
        Error::usage(format!("cannot read {EXEC_INFO}"))
            .because(why)
            .because(format!("it is `{}`", clean(text)))
            .hint(format!("a Kubernetes client sets it; to get a token by hand, run without it: `env -u {EXEC_INFO} karpctl token …`"))
    };
    let info: Value = serde_json::from_str(text).map_err(|e| malformed(format!("it is not JSON: {e}")))?;
    match info.get("kind") {
        None => {}
        Some(Value::String(kind)) if kind == "ExecCredential" || kind.is_empty() => {}
        Some(kind) => return Err(malformed(format!("its kind is {kind}, not ExecCredential"))),
    }
    let api_version = info.get("apiVersion").and_then(Value::as_str).ok_or_else(|| malformed("it names no apiVersion".to_owned()))?;
    version_of(api_version).ok_or_else(|| {
        let [first, second, third] = ExecApiVersion::ALL;
        malformed(format!("it asks for the apiVersion `{}`; known are {}, {second} and {third}", clean(api_version), full(first)))
    })
}
