//! The programs that write kubeconfigs and answer as their credential plugins: what each of their releases writes and answers.

use super::table::{CLIENTS, KubeconfigRow};
use super::{ExecApiVersion, ToolVersion};

fn row(program: &str, version: &ToolVersion) -> Option<&'static KubeconfigRow> {
    CLIENTS.kubeconfigs.iter().rfind(|row| row.program == program && *version >= row.since)
}

/// The version of the plugin's interface that a program (`aws`, `eksctl`) of this version writes into a kubeconfig. `None`: it is not
/// known, depends on what else is there, or it writes none.
#[must_use]
pub fn writes(program: &str, version: &ToolVersion) -> Option<ExecApiVersion> {
    row(program, version)?.writes
}

/// Whether a program of this version, run as a plugin, answers the version that it is asked for, whichever that is. `None`: not known.
#[must_use]
pub fn answers_what_is_asked(program: &str, version: &ToolVersion) -> Option<bool> {
    row(program, version)?.answers.as_ref().map(|answers| answers == "asked")
}

/// Whether a program of this version, run as a plugin, answers that it is asked for v1beta1 with it. `None`: not known.
#[must_use]
pub fn answers_v1beta1(program: &str, version: &ToolVersion) -> Option<bool> {
    row(program, version)?.answers.as_ref().map(|answers| answers == "asked" || answers == "v1beta1")
}

/// The first release of a program from which on it writes what every client takes, or answers what it is asked; of the same major
/// release, where there is one.
#[must_use]
pub fn cured_since(program: &str, version: &ToolVersion) -> Option<&'static ToolVersion> {
    cured_releases(program).find(|since| *since > version)
}

/// From which release on a program writes what every client takes, or answers what it is asked: "1.23.9 (or 2.6.3)", one of each major
/// release that once did not. Empty where nothing is known of such a program.
#[must_use]
pub fn cured(program: &str) -> String {
    let releases: Vec<String> = cured_releases(program).map(ToString::to_string).collect();
    match &releases[..] {
        [first, others @ ..] if !others.is_empty() => format!("{first} (or {})", others.join(", ")),
        releases => releases.concat(),
    }
}

fn cured_releases(program: &str) -> impl Iterator<Item = &'static ToolVersion> {
    let cured = |row: &&KubeconfigRow| row.writes == Some(ExecApiVersion::V1Beta1) || row.answers.as_deref() == Some("asked");
    CLIENTS.kubeconfigs.iter().filter(move |row| row.program == program).filter(cured).map(|row| &row.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_they_write_and_answer_follows_their_release() {
        let at = |text: &str| -> ToolVersion { text.parse().unwrap() };
        for (program, version, written, asked, beta, cured) in [
            ("aws", "1.22.101", Some(ExecApiVersion::V1Alpha1), Some(false), Some(false), Some("1.23.9")),
            ("aws", "1.23.9", Some(ExecApiVersion::V1Beta1), Some(true), Some(true), Some("2.6.3")),
            ("aws", "2.6.2", Some(ExecApiVersion::V1Alpha1), Some(false), Some(false), Some("2.6.3")),
            ("aws", "2.31.0", Some(ExecApiVersion::V1Beta1), Some(true), Some(true), None),
            ("aws-iam-authenticator", "0.5.5", None, Some(false), Some(true), Some("0.5.6")),
            ("aws-iam-authenticator", "0.5.3", None, Some(false), Some(false), Some("0.5.6")),
            ("aws-iam-authenticator", "0.6.14", None, Some(true), Some(true), None),
            ("eksctl", "0.85.0", Some(ExecApiVersion::V1Alpha1), None, None, Some("0.205.0")),
            ("eksctl", "0.204.0", None, None, None, Some("0.205.0")),
            ("eksctl", "0.230.0", Some(ExecApiVersion::V1Beta1), None, None, None),
            ("gcloud", "1.0.0", None, None, None, None),
        ] {
            assert_eq!(
                (writes(program, &at(version)), answers_what_is_asked(program, &at(version))),
                (written, asked),
                "{program} {version}"
            );
            assert_eq!(answers_v1beta1(program, &at(version)), beta, "{program} {version}");
            assert_eq!(cured_since(program, &at(version)).map(ToString::to_string).as_deref(), cured, "{program} {version}");
        }
        let cured = ["aws", "aws-iam-authenticator", "eksctl", "gcloud"].map(cured);
        assert_eq!(cured, ["1.23.9 (or 2.6.3)", "0.5.6", "0.205.0", ""]);
    }
}
