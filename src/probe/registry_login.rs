//! Who helm would say to a chart registry that it is: by its own configuration, then by docker's. Each rule was found by running
//! helms (`tests/clients/test_logins.py`).

use crate::facts::{LoginOwner, LoginState, Probed, RegistryLogin};
use crate::knowledge::ClientBuild;
use crate::ports::Workstation;
use crate::secret::masked;
use crate::spec::ChartSource;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a credential helper may take: one that asks a person to unlock something takes as long as they do.
const HELPER_TIME: Duration = Duration::from_secs(30);
/// What every helper says of a registry that it keeps nothing of.
const NOTHING_KEPT: &str = "credentials not found in native keychain";

/// The log-in that helm would use. A helm that is not known is taken for a new one.
pub async fn registry_login(station: &dyn Workstation, charts: &ChartSource, helm: Option<&ClientBuild>) -> Probed<Box<RegistryLogin>> {
    let host = charts.repository.trim_start_matches("oci://").split('/').next().unwrap_or_default();
    let newer = helm.is_none_or(ClientBuild::asks_helpers_of_its_own);
    let places = match &charts.registry_config {
        Some(file) => vec![Place { file: station.absolute(file), owner: LoginOwner::Helm, newer }],
        None => vec![
            Place { file: helms_file(station), owner: LoginOwner::Helm, newer },
            Place { file: dockers_file(station), owner: LoginOwner::Docker, newer },
        ],
    };
    for place in places {
        if let Some(state) = place.state(station, host).await {
            let named = charts.registry_config.is_some();
            return Probed::Known(Box::new(RegistryLogin { host: host.to_owned(), file: place.file, owner: place.owner, named, state }));
        }
    }
    Probed::Absent
}

/// Where helm keeps its log-ins.
fn helms_file(station: &dyn Workstation) -> PathBuf {
    let at = |name: &str, rest: &str| station.variable(name).map(|folder| Path::new(&folder).join(rest));
    let home = station.home().unwrap_or_default();
    let default = if cfg!(target_os = "macos") { home.join("Library/Preferences") } else { home.join(".config") };
    station.absolute(
        &at("HELM_REGISTRY_CONFIG", "")
            .or_else(|| at("HELM_CONFIG_HOME", "registry/config.json"))
            .or_else(|| at("XDG_CONFIG_HOME", "helm/registry/config.json"))
            .unwrap_or_else(|| default.join("helm/registry/config.json")),
    )
}

fn dockers_file(station: &dyn Workstation) -> PathBuf {
    let folder = station.variable("DOCKER_CONFIG").map(PathBuf::from);
    station.absolute(&folder.unwrap_or_else(|| station.home().unwrap_or_default().join(".docker")).join("config.json"))
}

struct Place {
    file: PathBuf,
    owner: LoginOwner,
    /// Whether the helm is one that asks the credential helpers of its own file, and passes over a file of docker's that is broken.
    newer: bool,
}

impl Place {
    /// What stands there for this registry. `None`: nothing.
    async fn state(&self, station: &dyn Workstation, host: &str) -> Option<LoginState> {
        let text = match station.read(&self.file) {
            Ok(text) => text?,
            Err(e) => return Some(LoginState::Unreadable(e.to_string())),
        };
        if text.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let tree: Value = match serde_json::from_slice(&text) {
            Ok(tree @ Value::Object(_)) => tree,
            _ if self.owner == LoginOwner::Docker && self.newer => return None,
            Ok(_) => return Some(LoginState::Unreadable("it holds no JSON object".into())),
            Err(e) => return Some(LoginState::Unreadable(format!("it is no JSON: line {}, column {}", e.line(), e.column()))),
        };
        if self.owner == LoginOwner::Docker || self.newer {
            let named = |value: &Value| value.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
            if let Some(helper) = named(&tree["credHelpers"][host]).or_else(|| named(&tree["credsStore"])) {
                return asked(station, &format!("docker-credential-{helper}"), host).await;
            }
        }
        entry(&tree["auths"], host).and_then(|entry| kept(entry, station.now()))
    }
}

/// The entry of a registry, by its name or by an address of it.
fn entry<'a>(auths: &'a Value, host: &str) -> Option<&'a Value> {
    let host_of = |key: &'a str| key.split_once("://").map_or(key, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let auths = auths.as_object()?;
    auths.get(host).or_else(|| auths.iter().find(|(key, _)| host_of(key) == host).map(|(_, entry)| entry))
}

fn kept(entry: &Value, now: jiff::Timestamp) -> Option<LoginState> {
    let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    let password = match text("auth") {
        Some(auth) => {
            let pair = STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            match pair.as_deref().and_then(|pair| pair.split_once(':')) {
                Some((_, password)) => password.to_owned(),
                None => return Some(LoginState::Unreadable("what it has as `auth` is no name and password in base64".into())),
            }
        }
        None => text("password").or_else(|| text("identitytoken")).or_else(|| text("registrytoken"))?.to_owned(),
    };
    Some(LoginState::Kept { helper: None, ended: has_ended(&password, now) })
}

/// Whether a password is over: one of ECR's is JSON in base64 that says until when it holds. `None`: it does not say.
fn has_ended(password: &str, now: jiff::Timestamp) -> Option<bool> {
    let said: Value = serde_json::from_slice(&STANDARD.decode(password.trim_end()).ok()?).ok()?;
    Some(said["expiration"].as_i64()? <= now.as_second())
}

async fn asked(station: &dyn Workstation, helper: &str, host: &str) -> Option<LoginState> {
    let helper = helper.to_owned();
    let Ok(file) = station.find(&helper, false) else { return Some(LoginState::NoHelper { helper }) };
    let end = station.ask(&file, &["get"], host, HELPER_TIME).await;
    let said = String::from_utf8_lossy(&end.stdout);
    if let Some(how) = end.ended {
        let words = [said.trim(), end.stderr.trim(), how.as_str()].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        let why = || crate::error::clean(&masked(words.lines().next().unwrap_or_default()));
        return (said.trim() != NOTHING_KEPT).then(|| LoginState::HelperFailed { helper, why: why() });
    }
    let Ok(answer @ Value::Object(_)) = serde_json::from_slice::<Value>(&end.stdout) else {
        return Some(LoginState::HelperFailed { helper, why: "its answer is no JSON object".into() });
    };
    let password = answer["Secret"].as_str().filter(|secret| !secret.is_empty())?;
    Some(LoginState::Kept { helper: Some(helper), ended: has_ended(password, station.now()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_registry_is_found_by_its_name_or_an_address_of_it() {
        for key in ["r.test", "https://r.test", "https://r.test/v2/", "r.test/karpenter/karpenter"] {
            assert_eq!(entry(&json!({"other.test": 1, key: 2}), "r.test"), Some(&json!(2)), "{key}");
        }
        assert_eq!(entry(&json!({"x.r.test": 1}), "r.test"), None);
        assert_eq!(entry(&json!([]), "r.test"), None);
    }

    #[test]
    fn an_ecr_token_says_until_when_it_holds() {
        let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let state = |until: i64| {
            let password = STANDARD.encode(json!({"payload": "x", "expiration": until}).to_string());
            kept(&json!({"auth": STANDARD.encode(format!("AWS:{password}"))}), now)
        };
        let known = |ended: bool| Some(LoginState::Kept { helper: None, ended: Some(ended) });
        assert_eq!((state(now.as_second() - 1), state(now.as_second() + 9)), (known(true), known(false)));
        let unknown = Some(LoginState::Kept { helper: None, ended: None });
        assert_eq!(kept(&json!({"auth": STANDARD.encode("me:pw")}), now), unknown);
        assert_eq!(kept(&json!({"username": "me", "password": "pw"}), now), unknown);
        assert_eq!(kept(&json!({}), now), None);
        for broken in ["!!!", "QVdT"] {
            assert!(matches!(kept(&json!({"auth": broken}), now), Some(LoginState::Unreadable(_))), "{broken}");
        }
    }
}
