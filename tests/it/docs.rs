//! What help and documents tell a person to type is typed here: each line is parsed by the real command line, and what needs
//! neither AWS nor a cluster is run.

mod completions;

use clap::{CommandFactory as _, Parser as _};
use karpctl::cli::Cli;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The words of a line, as a shell splits it; what comes after a comment or a redirection is not karpctl's.
fn words(line: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("karpctl() {{ printf '%s\\0' \"$@\"; }}\n{line} >words\ncat *");
    let ended = Command::new("bash").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    String::from_utf8(ended.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect()
}

/// karpctl in a folder of its own, without AWS and without a terminal.
fn run(dir: &Path, words: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_karpctl"))
        .env_clear()
        .env("HOME", dir)
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .current_dir(dir)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Whether a command asks nothing of AWS or a cluster, and so can be run here.
fn is_offline(words: &[String]) -> bool {
    let has = |word: &str| words.iter().any(|w| w == word);
    match words.first().map(String::as_str) {
        Some("versions") => !has("--compare"),
        Some("explain" | "generate" | "version") => true,
        Some("render") => has("--account-id"),
        Some("init") => has("--defaults"),
        _ => has("--help") || has("--version"),
    }
}

/// Parses a line, and runs it where it can be.
fn try_line(line: &str, from: &str, ran: &mut usize) {
    let words = words(line);
    let all = std::iter::once("karpctl".to_owned()).chain(words.iter().cloned());
    if let Err(e) = Cli::try_parse_from(all)
        && e.use_stderr()
    {
        panic!("{from}: `{line}` is not understood:\n{e}");
    }
    if is_offline(&words) {
        let dir = tempfile::tempdir().unwrap();
        let ended = run(dir.path(), &words);
        assert!(ended.status.success(), "{from}: `{line}` ends with {}:\n{}", ended.status, String::from_utf8_lossy(&ended.stderr));
        *ran += 1;
    }
}

#[test]
fn every_example_of_every_help_can_be_typed() {
    let (mut ran, mut seen) = (0, 0);
    let cli = Cli::command();
    let below = cli.get_subcommands().flat_map(clap::Command::get_subcommands).filter(|c| c.get_after_help().is_some());
    for command in cli.get_subcommands().chain(below) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = help.lines().map(str::trim).filter(|l| l.starts_with("karpctl ")).collect();
        assert!(examples.len() >= 2, "{} has {} examples", command.get_name(), examples.len());
        for example in examples {
            assert!(example.contains(&format!(" {}", command.get_name())), "{example} is no example of {}", command.get_name());
            try_line(example, command.get_name(), &mut ran);
            seen += 1;
        }
    }
    assert!(seen >= 30 && ran >= 8, "{seen} examples, {ran} run");
}

/// The fenced blocks of a document in these languages: where each begins, and its lines.
fn blocks(text: &str, languages: &[&str]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, Vec<String>, bool)> = None;
    for (number, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some((number + 1, Vec::new(), languages.contains(&language.trim()))),
            (Some(_), Some((at, lines, wanted))) if wanted => found.push((at, lines)),
            (None, Some((at, mut lines, wanted))) => {
                lines.push(line.to_owned());
                open = Some((at, lines, wanted));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    found
}

fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// What stands in a block beside karpctl: it must be something that this repository has.
fn is_known(line: &str) -> bool {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("make"), Some(target)) => makefile.lines().any(|l| l.starts_with(&format!("{target}:"))),
        (Some("python3"), Some(file)) => root().join(file).is_file(),
        (Some("cargo" | "git" | "mkdir"), _) => true,
        _ => false,
    }
}

#[test]
fn every_line_of_every_document_can_be_typed() {
    let (mut ran, mut typed) = (0, 0);
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        for (at, lines) in blocks(&text, &["sh", "console", "bash", "shell"]) {
            // A line that ends in a backslash goes on.
            for line in lines.join("\n").replace("\\\n", " ").lines() {
                let line = line.trim().trim_start_matches("$ ");
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let at = format!("{name}, block at line {at}");
                if line.starts_with("karpctl ") {
                    try_line(line, &at, &mut ran);
                    typed += 1;
                } else {
                    assert!(is_known(line), "{at}: nobody knows how to try `{line}`");
                }
            }
        }
    }
    assert!(typed >= 8, "{typed} lines were tried");
}

#[test]
fn a_line_that_cannot_be_typed_is_found() {
    let typo = std::panic::catch_unwind(|| try_line("karpctl bootstrap --cluster-nam demo", "here", &mut 0));
    assert!(typo.is_err());
    assert_eq!(words("karpctl doctor -o junit > doctor.xml  # a comment"), ["doctor", "-o", "junit"]);
    assert!(!is_known("make nothing-of-the-kind") && is_known("make rehearse"));
}

/// A program that a test needs. Where it is missing the test says so, and fails in CI.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        let words = format!("there is no {program}: `make lab` installs it");
        assert!(std::env::var_os("CI").is_none(), "{words}");
        std::io::Write::write_all(&mut std::io::stderr(), format!("\nSKIPPED, NOTHING TESTED: {words}\n\n").as_bytes()).unwrap();
    }
    found
}

#[test]
fn every_command_has_a_man_page_that_man_reads() {
    let dir = tempfile::tempdir().unwrap();
    let made = run(dir.path(), &["generate".into(), "man".into(), "--out".into(), "man1".into()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pages = std::fs::read_dir(dir.path().join("man1")).unwrap().count();
    let below = |c: &clap::Command| c.get_subcommands().filter(|c| c.get_after_help().is_some()).count();
    let commands: usize = Cli::command().get_subcommands().map(|c| 1 + below(c)).sum();
    assert_eq!(pages, commands + 1);
    if has("man") {
        for (page, said) in [("karpctl", "karpctl-bootstrap"), ("karpctl-init", "--defaults"), ("karpctl-bootstrap", "--dry-run")] {
            let file = dir.path().join("man1").join(format!("{page}.1"));
            let ended =
                Command::new("man").env("MANWIDTH", "100").env("MANROFFOPT", "-c").args(["--warnings", "-l"]).arg(file).output().unwrap();
            assert!(ended.status.success() && ended.stderr.is_empty(), "{page}: {}", String::from_utf8_lossy(&ended.stderr));
            let text = String::from_utf8_lossy(&ended.stdout).replace('‐', "-");
            assert!(text.contains("NAME") && text.contains(said), "{page}: {text}");
        }
    }
}

#[test]
fn the_published_schema_is_what_the_program_takes() {
    let dir = tempfile::tempdir().unwrap();
    let made = String::from_utf8(run(dir.path(), &["generate".into(), "schema".into()]).stdout).unwrap();
    let path = root().join("docs/karpctl.schema.json");
    if std::env::var_os("KARPCTL_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(
        made == std::fs::read_to_string(&path).unwrap_or_default(),
        "docs/karpctl.schema.json: KARPCTL_UPDATE_DOCS=1 cargo test published_schema"
    );
    let schema: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(schema["additionalProperties"], false, "an editor marks a field that is not known");
    // Every word that the schema offers is taken, and one that it does not offer is refused.
    for (field, value) in [("identity", &schema["properties"]["identity"]), ("nodeAccess", &schema["properties"]["nodeAccess"])] {
        let offered: Vec<&str> = value["enum"].as_array().unwrap().iter().filter_map(|v| v.as_str()).collect();
        assert!(offered.len() >= 2, "{field}: {value}");
        for word in offered.iter().chain(&["nothing"]) {
            let spec = format!("clusterName: demo\nregion: us-west-2\naccountId: \"111122223333\"\n{field}: {word}\n");
            std::fs::write(dir.path().join("karpctl.yaml"), spec).unwrap();
            let ended = run(dir.path(), &["render".into(), "cluster-config".into()]);
            assert_eq!(ended.status.success(), offered.contains(word), "{field}: {word}: {}", String::from_utf8_lossy(&ended.stderr));
        }
    }
    // The examples show an editor where the schema is.
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let line =
            text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{}", file.display()));
        assert!(file.parent().unwrap().join(line).is_file(), "{}: {line}", file.display());
    }
}

/// The names by which a page's headings are linked to.
fn anchors(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let name = |heading: String| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}

#[test]
fn the_site_has_every_page_and_no_link_leads_nowhere() {
    let docs = root().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let mut links = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.parent() == Some(&docs) && name != "SUMMARY.md" {
            assert!(summary.contains(&format!("]({name})")), "docs/{name} is not in docs/SUMMARY.md");
        }
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(to.exists(), "{}: {target}", path.display());
            assert!(anchor.is_empty() || anchors(&to).contains(&anchor.to_owned()), "{}: there is no heading of {target}", path.display());
            links += 1;
        }
    }
    assert!(links >= 12, "{links} links");
}
