//! The commands that karpctl prints for a person: each is understood by its own command line, as it is printed.

use super::{run, words};
use crate::architecture::sources;
use clap::CommandFactory as _;
use karpctl::cli::Cli;

/// Whether a command is understood; `Err` says why not.
fn understood(line: &str) -> Result<(), String> {
    let all = std::iter::once("karpctl".to_owned()).chain(words(line));
    match Cli::command().try_get_matches_from(all) {
        Err(e) if e.use_stderr() => Err(format!("`{line}`: {e}")),
        _ => Ok(()),
    }
}

/// The commands of karpctl's that a text has in backticks.
fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("karpctl ") && !code.contains('\n'))
}

/// Those that an output prints: in backticks, or in a line of their own.
fn printed(output: &str) -> impl Iterator<Item = &str> {
    let lines = output.lines().map(|line| line.trim_start().trim_start_matches("fix: ").trim_start_matches("hint: "));
    in_backticks(output).chain(lines.filter(|line| line.starts_with("karpctl ")))
}

/// What is filled in when it is printed is a value, or nothing.
fn filled(command: &str, by: &str) -> String {
    let mut parts = command.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.map(|part| by.to_owned() + part.split_once('}').map_or("", |(_, rest)| rest)).collect::<String>()
}

#[test]
fn every_command_that_a_source_names_is_understood() {
    let mut seen = 0;
    for (_, file, text) in sources() {
        let product = text.split("#[cfg(test)]").next().unwrap();
        // A literal goes on in the next line behind a backslash; comments in doc lines do not.
        let mut joined = String::new();
        product.split("\\\n").for_each(|part| joined.push_str(if joined.is_empty() { part } else { part.trim_start() }));
        let lines = joined.lines().filter(|line| !line.trim_start().starts_with("//"));
        // Which command it is, is filled in only when it is printed.
        let is_one = |command: &&str| !["karpctl {", "karpctl COMMAND"].iter().any(|any| command.starts_with(any));
        for command in lines.flat_map(in_backticks).filter(is_one) {
            let tried = [filled(command, "x"), filled(command, "")].map(|line| understood(&line));
            assert!(tried.iter().any(Result::is_ok), "{}: {tried:?}", file.display());
            seen += 1;
        }
    }
    assert!(seen >= 100, "{seen} commands were seen");
}

#[test]
fn every_command_that_a_run_prints_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let spec = ["--cluster-name", "demo", "--region", "us-west-2", "--account-id", "111122223333"];
    let of_demo = |words: &[&str]| [words, &spec].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let alone = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut seen = Vec::new();
    for words in [
        alone(&["bootstrap", "--dry-run"]),
        alone(&["status", "--cluster-name", "demo"]),
        alone(&["explain", "nosuch"]),
        alone(&["explain", "credentials"]),
        alone(&["explain", "stack"]),
        alone(&["explain", "spot-role"]),
        alone(&["doctor", "--offline"]),
        alone(&["doctor", "--only", "nosuch"]),
        alone(&["doctor", "--facts", "nothere"]),
        alone(&["doctor", "--area", "account", "--region", "us-west-2"]),
        alone(&["init"]),
        alone(&["init", "--defaults", "--region", "us-wst-2", "-f", "my file.yaml"]),
        alone(&["render", "all"]),
        alone(&["render", "cloudformation", "--cluster-name", "demo", "--region", "us-west-2"]),
        of_demo(&["doctor", "--offline"]),
        of_demo(&["doctor"]),
        of_demo(&["bootstrap", "--yes"]),
        of_demo(&["verify"]),
        of_demo(&["destroy", "--dry-run"]),
        of_demo(&["render", "node-pool", "--karpenter-version", "0.16.0"]),
        of_demo(&["render", "flow-schemas", "--karpenter-version", "0.32.10"]),
    ] {
        let ended = run(dir.path(), &words);
        let said = [ended.stdout, ended.stderr].map(|said| String::from_utf8(said).unwrap());
        for command in said.iter().flat_map(|said| printed(said)) {
            understood(command).unwrap_or_else(|e| panic!("{words:?} prints {e}"));
            seen.push(command.to_owned());
        }
    }
    for wanted in ["karpctl bootstrap -f 'my file.yaml'", "karpctl explain credentials", "karpctl doctor --offline"] {
        assert!(seen.iter().any(|command| command == wanted), "{wanted} is not in {seen:#?}");
    }
    assert!(seen.len() >= 20, "{seen:#?}");
}

#[test]
fn a_command_that_nobody_takes_is_found() {
    let said = "hint: run `karpctl status --clustr-name demo`\n  fix: karpctl doctr\nkarpctl is no command\n`aws sts`";
    assert_eq!(printed(said).collect::<Vec<_>>(), ["karpctl status --clustr-name demo", "karpctl doctr", "karpctl is no command"]);
    assert!(printed(said).all(|command| understood(command).is_err()));
    assert_eq!(filled("karpctl doctor --only {}{of} -v", "x"), "karpctl doctor --only xx -v");
}
