//! Completions, tried in the shells themselves. Of PowerShell, which is no Debian package, the words are held.

use super::{has, run};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

fn shell_says(shell: &str, script: &str) -> String {
    let ended = Command::new(shell).args(if shell == "zsh" { &["-f", "-c"][..] } else { &["-c"] }).arg(script).output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{shell}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

fn completions(dir: &Path, shell: &str) -> String {
    let made = run(dir, &["generate".into(), "completions".into(), shell.into()]);
    assert!(made.status.success(), "{shell}");
    let file = dir.join(format!("karpctl.{shell}"));
    std::fs::write(&file, made.stdout).unwrap();
    file.display().to_string()
}

#[test]
fn shells_complete_commands_and_flags() {
    let dir = tempfile::tempdir().unwrap();
    let file = completions(dir.path(), "bash");
    let bash = |line: &str, words: usize| {
        shell_says(
            "bash",
            &format!(
                "source {file}; COMP_WORDS=({line}); COMP_CWORD={words}; _karpctl karpctl \"${{COMP_WORDS[-1]}}\" ''; echo \"${{COMPREPLY[@]}}\""
            ),
        )
    };
    assert_eq!(bash("karpctl boot", 1).trim(), "bootstrap");
    assert_eq!(bash("karpctl init --def", 2).trim(), "--defaults");
    if has("fish") {
        let file = completions(dir.path(), "fish");
        let fish = |line: &str| shell_says("fish", &format!("source {file}; complete -C '{line}'"));
        assert!(fish("karpctl boot").contains("bootstrap"));
        assert!(fish("karpctl init --def").contains("--defaults"));
    }
    if has("zsh") {
        let file = completions(dir.path(), "zsh");
        let said =
            shell_says("zsh", &format!("autoload -U compinit; compinit -D -u; source {file}; print $_comps[karpctl]; whence -w _karpctl"));
        assert!(said.contains("_karpctl: function"), "{said}");
    }
    if has("elvish") {
        let file = completions(dir.path(), "elvish");
        let said = elvish(dir.path(), &file, &["karpctl boot", "karpctl init --def", "karpctl doctor -o ''"]);
        let offered = |word: &str| said.iter().map(|words| words.contains(&word.to_owned())).collect::<Vec<_>>();
        assert_eq!(offered("bootstrap"), [true, false, false]);
        assert_eq!(offered("--defaults"), [false, true, false]);
        assert_eq!(offered("sarif"), [false, false, true]);
    }
}

/// What elvish is offered for each line. Only at a terminal has it an editor, and with it completions: util-linux's `script` makes one.
fn elvish(dir: &Path, file: &str, lines: &[&str]) -> Vec<Vec<String>> {
    let ask = |line: &&str| format!("echo line\n$edit:completion:arg-completer[karpctl] {line} | each {{|c| echo 'offered='$c[stem] }}\n");
    let rc = format!("eval (slurp < {file})\n{}", lines.iter().map(ask).collect::<String>());
    let path = dir.join("rc.elv");
    std::fs::write(&path, rc + "exit\n").unwrap();
    let mut command = Command::new("script");
    command.args(["-qec", &format!("elvish -rc {}", path.display()), "/dev/null"]).env("HOME", dir).stdin(Stdio::null());
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success() && !said.to_lowercase().contains("exception"), "{said}");
    let of_line = |part: &str| part.lines().filter_map(|l| l.strip_prefix("offered=")).map(|w| w.trim_end().to_owned()).collect();
    said.split("line\r\n").skip(1).map(of_line).collect()
}

/// What PowerShell is offered after each command: a line each, as it is kept.
fn offered_by_powershell(text: &str) -> String {
    let mut offered: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut command = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("'karpctl").and_then(|rest| rest.strip_suffix("' {")) {
            command = name.trim_start_matches(';');
        } else if let Some(word) = line.strip_prefix("[CompletionResult]::new('").and_then(|rest| rest.split('\'').next()) {
            offered.entry(command).or_default().push(word);
        }
    }
    offered.iter().map(|(command, words)| format!("karpctl {}: {}\n", command.replace(';', " "), words.join(" "))).collect()
}

#[test]
fn powershell_is_offered_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(completions(dir.path(), "powershell")).unwrap();
    // PowerShell takes these for quotes, too: one in a sentence would end its string.
    assert!(!text.contains(['\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}']));
    let odd: Vec<&str> = text.lines().filter(|line| line.matches('\'').count() % 2 == 1).collect();
    assert!(odd.is_empty(), "a string does not end: {odd:#?}");
    let (made, path) = (offered_by_powershell(&text), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/docs/powershell.txt"));
    if std::env::var_os("KARPCTL_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(made.lines().count() > 20, "{made}");
    assert_eq!(made, std::fs::read_to_string(&path).unwrap_or_default(), "KARPCTL_UPDATE_DOCS=1 cargo test --test it powershell");
}
