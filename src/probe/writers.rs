//! The programs at hand that write kubeconfigs, or answer as their plugins: which version each is.

use crate::facts::{ExecFacts, WriterFacts};
use crate::knowledge::ToolVersion;
use crate::ports::Workstation;
use futures_util::future::join_all;
use std::path::PathBuf;
use std::time::Duration;

/// How long one may take to say its version: a cold start of eksctl on a loaded machine takes seconds.
const VERSION_TIME: Duration = Duration::from_secs(30);
/// Each, and how it is asked.
const PROGRAMS: [(&str, &str); 3] = [("aws", "--version"), ("aws-iam-authenticator", "version"), ("eksctl", "version")];

/// Those that the plugin's own command and PATH find, where the plugin is one of them; an entry with another was written by none. One
/// that does not say a version is left out.
pub(super) async fn at_hand(station: &dyn Workstation, exec: &ExecFacts) -> Vec<WriterFacts> {
    let own = exec.found.as_ref().ok();
    let plugin = exec.command.rsplit('/').next().unwrap_or_default();
    if !PROGRAMS.iter().any(|(program, _)| *program == plugin) {
        return Vec::new();
    }
    let mut asked: Vec<(&str, &str, PathBuf)> = Vec::new();
    for (program, question) in PROGRAMS {
        let is_it = |file: &&PathBuf| file.file_name().is_some_and(|name| name == program);
        for file in own.filter(is_it).cloned().into_iter().chain(station.program(program)) {
            if !asked.iter().any(|(_, _, seen)| *seen == file) {
                asked.push((program, question, file));
            }
        }
    }
    let one = |(program, question, path): (&'static str, &'static str, PathBuf)| async move {
        let end = station.ask(&path, &[question], "", VERSION_TIME).await;
        let said = String::from_utf8_lossy(&end.stdout).into_owned() + &end.stderr;
        version_in(&said).map(|version| WriterFacts { program: program.to_owned(), path, version })
    };
    join_all(asked.into_iter().map(one)).await.into_iter().flatten().collect()
}

/// The first version in a text: `aws-cli/2.15.1 Python/3.11`, `{"Version":"v0.5.9"}`, `0.230.0`.
fn version_in(text: &str) -> Option<ToolVersion> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    words.filter(|word| word.matches('.').count() == 2).find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_they_print() {
        for (text, version) in [
            ("aws-cli/1.22.101 Python/3.9.2 Linux/5.10 botocore/1.24.46\n", "1.22.101"),
            ("aws-cli/2.15.1 Python/3.11.6 Linux/6.1 exe/x86_64.amzn.2 prompt/off", "2.15.1"),
            (r#"{"Version":"v0.5.9","Commit":"1209cfe2","date":"2022-04-25T22:20:05Z"}"#, "0.5.9"),
            ("0.230.0\n", "0.230.0"),
            ("0.230.0-dev+a1b2.2026-08-01", "0.230.0"),
        ] {
            assert_eq!(version_in(text).map(|v| v.to_string()).as_deref(), Some(version), "{text}");
        }
        assert_eq!(version_in("usage: aws [options]"), None);
    }
}
