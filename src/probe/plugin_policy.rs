//! What a newer kubectl's own preferences (`~/.kube/kuberc`) say of the credential plugins that it may run.

use crate::error::clean;
use crate::facts::PluginPreferences;
use crate::knowledge::ClientBuild;
use crate::kubeconfig::{answer_tree, text};
use crate::ports::Workstation;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Why this kubectl does not run this plugin, or nothing at all, and what its preferences allow. No reason: it may.
pub(super) fn forbidden(
    station: &dyn Workstation,
    build: &ClientBuild,
    command: &str,
    found: Option<&PathBuf>,
) -> (Option<String>, Option<PluginPreferences>) {
    let named = station.variable("KUBERC");
    let off = station.variable("KUBECTL_KUBERC").is_some_and(|v| v == "false") || named.as_deref() == Some("off");
    if !build.heeds_plugin_policy() || off {
        return (None, None);
    }
    let default = || station.home().unwrap_or_default().join(".kube/kuberc");
    let file = station.absolute(&named.as_ref().map_or_else(default, PathBuf::from));
    let preferences = match preferences(station, &file) {
        Ok(preferences) => preferences,
        // One that is not named and cannot be read is passed over with a warning.
        Err(why) => return (named.map(|_| format!("kuberc: {}: {why}", file.display())), None),
    };
    let why = refusal(&preferences, station, build, command, found).map(|why| format!("{why} ({})", file.display()));
    let entries = preferences["credentialPluginAllowlist"].as_array().into_iter().flatten();
    let allowed = entries.filter_map(|entry| entry["command"].as_str().or(entry["name"].as_str()).map(clean)).collect();
    (why, Some(PluginPreferences { file, allowed }))
}

fn preferences(station: &dyn Workstation, file: &Path) -> Result<Value, String> {
    let bytes = station.read(file).map_err(|e| e.to_string())?.ok_or("no such file or directory")?;
    let tree = text(&bytes).and_then(|text| answer_tree(&text)).map_err(|e| e.why)?;
    let of = |name: &str| tree[name].as_str().unwrap_or_default();
    let known = of("kind") == "Preference" && of("apiVersion").starts_with("kubectl.config.k8s.io/v1");
    if known { Ok(tree) } else { Err("no valid preferences found".into()) }
}

fn refusal(preferences: &Value, station: &dyn Workstation, build: &ClientBuild, command: &str, found: Option<&PathBuf>) -> Option<String> {
    // Its first version knows no policy.
    if preferences["apiVersion"] != "kubectl.config.k8s.io/v1beta1" {
        return None;
    }
    let policy = preferences["credentialPluginPolicy"].as_str().unwrap_or_default();
    let list = preferences["credentialPluginAllowlist"].as_array();
    match (policy, list) {
        ("" | "AllowAll", None) => None,
        ("DenyAll", None) => Some(format!("plugin \"{command}\" not allowed: policy set to \"DenyAll\"")),
        ("" | "AllowAll" | "DenyAll", Some(_)) => Some(format!("plugin policy is \"{policy}\" but allowlist is non-nil")),
        ("Allowlist", Some(list)) if !list.is_empty() => {
            let entry = |entry: &Value| {
                let by = |name: &str| entry[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
                by("name").or_else(|| by("command").filter(|_| build.allows_by_command()))
            };
            let Some(entries) = list.iter().map(entry).collect::<Option<Vec<_>>>() else {
                return Some("misconfigured credential plugin allowlist: empty allowlist entry".into());
            };
            let same = |entry: &String| {
                let is_found = |file: &PathBuf| station.find(entry, false).is_ok_and(|path| path == *file);
                entry == command || found.is_some_and(|file| file.as_os_str() == entry.as_str() || is_found(file))
            };
            let allowed = entries.iter().any(same);
            (!allowed).then(|| format!("plugin \"{command}\" is not permitted by the credential plugin allowlist"))
        }
        ("Allowlist", _) => Some("credential plugin policy set to \"Allowlist\", but allowlist is unspecified or empty".into()),
        _ => Some(format!("unknown plugin policy: \"{policy}\"")),
    }
}
