//! What help and documents tell a person to type is typed here: each line is parsed by the real command line, and what needs
//! neither AWS nor a cluster is run. What needs them is typed in the lab (`lab::documents`).

mod completions;
mod examples;
mod printed;
mod yaml;

use crate::lab::documents::PAGES;
use clap::{CommandFactory as _, Parser as _};
use karpctl::cli::Cli;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The words of a line, as a shell splits it; what comes after a comment, a redirection or a pipe is not karpctl's.
fn words(line: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("karpctl() {{ printf '%s\\0' \"$@\" >words; }}\n{{\n{line}\n}} >/dev/null\ncat words");
    let ended = Command::new("bash").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    String::from_utf8(ended.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect()
}

/// A program in a folder of its own, where karpctl is on PATH, without AWS and without a terminal.
fn program(name: &str, dir: &Path) -> Command {
    let own = Path::new(env!("CARGO_BIN_EXE_karpctl")).parent().unwrap().display();
    let mut command = Command::new(name);
    command.env_clear().env("HOME", dir).env("PATH", format!("{own}:/usr/bin:/bin"));
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    command.current_dir(dir).stdin(Stdio::null());
    command
}

fn run(dir: &Path, words: &[String]) -> Output {
    program(env!("CARGO_BIN_EXE_karpctl"), dir).args(words).output().unwrap()
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

/// Parses a line, and has a shell run it where it can be; whether it could.
fn try_line(line: &str, from: &str) -> bool {
    let words = words(line);
    let all = std::iter::once("karpctl".to_owned()).chain(words.iter().cloned());
    if let Err(e) = Cli::try_parse_from(all)
        && e.use_stderr()
    {
        panic!("{from}: `{line}` is not understood:\n{e}");
    }
    let offline = is_offline(&words);
    if offline {
        let dir = tempfile::tempdir().unwrap();
        let ended = program("bash", dir.path()).args(["-o", "pipefail", "-c", line]).output().unwrap();
        assert!(ended.status.success(), "{from}: `{line}` ends with {}:\n{}", ended.status, String::from_utf8_lossy(&ended.stderr));
    }
    offline
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

/// What is to be typed in one block: the line at which it begins, and its lines, those joined that go on after a backslash.
pub(crate) type Block = (usize, Vec<String>);

/// What is to be typed on a page, named as it is from the checkout.
pub(crate) fn blocks_of(page: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(root().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
    let hidden = hidden_commands(&text);
    assert!(hidden.is_empty(), "{page}: nobody types {hidden:?}: fence the block as `sh`");
    let typed = |lines: Vec<String>| -> Vec<String> {
        let joined = lines.join("\n").replace("\\\n", " ");
        let lines = joined.lines().map(|line| line.trim().trim_start_matches("$ "));
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    };
    blocks(&text, &["sh", "console", "bash", "shell"]).into_iter().map(|(at, lines)| (at, typed(lines))).collect()
}

/// The commands in blocks of text, which would not be typed.
fn hidden_commands(text: &str) -> Vec<String> {
    const PROGRAMS: [&str; 7] = ["karpctl", "aws", "docker", "eksctl", "helm", "kubectl", "podman"];
    let is_command = |line: &String| line.trim_start_matches("$ ").split_once(' ').is_some_and(|(word, _)| PROGRAMS.contains(&word));
    blocks(text, &["text", ""]).into_iter().flat_map(|(_, lines)| lines).filter(is_command).collect()
}

/// What no test types, by how it begins, and why.
const NOT_TYPED: [(&str, &str); 18] = [
    ("aws ecr get-login-password", "the lab has no registry of ECR; `lab::doctor_desk` logs in at another, and out as the doctor says"),
    ("podman run", "`tests/packaging/test_dist.py` makes the image, and runs what is in it"),
    ("cargo install", "`tests/packaging/test_dist.py` types it, with `--debug` and a folder to install to"),
    ("make rehearse", "the commands that it runs are those of README, which are typed in the lab"),
    ("make test", "runs this very test"),
    ("make test-all", "hours"),
    ("make deny", "a part of `make test`"),
    ("make advisories", "fetches a database from the internet"),
    ("make dist", "a release build; it ends with `tests/packaging/test_dist.py`, which uses all that it made"),
    ("make package", "what `make dist` begins with"),
    ("make image", "`tests/packaging/test_dist.py` runs the script that it runs"),
    ("make fuzz", "minutes, of `make test-all`"),
    ("make names", "a part of `make test`"),
    ("make lint", "CI runs it before the tests"),
    ("make bench", "a release build, and figures that only somebody can judge"),
    ("python3 tests/reliability/crash.py", "`make test` runs a smaller sample; the whole takes hours"),
    ("python3 tests/reliability/faults.py", "`make test` runs a smaller sample; the whole takes hours"),
    ("python3 tests/reliability/least.py", "`make test` runs a smaller sample; the whole takes hours"),
];

/// What stands in a block beside karpctl: it must be something that this repository has.
fn is_known(line: &str) -> bool {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("make"), Some(target)) => makefile.lines().any(|l| l.starts_with(&format!("{target}:"))),
        (Some("python3"), Some(file)) => root().join(file).is_file(),
        (Some("aws" | "cargo" | "git" | "mkdir" | "podman"), _) => true,
        _ => false,
    }
}

#[test]
fn every_line_of_every_document_can_be_typed() {
    let mut typed = 0;
    let mut unused: Vec<&str> = NOT_TYPED.iter().map(|(begin, _)| *begin).collect();
    for path in documents() {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        for (at, lines) in blocks_of(&name) {
            for line in lines {
                let at = format!("{name}, block at line {at}");
                if line.starts_with("karpctl ") {
                    let offline = try_line(&line, &at);
                    assert!(offline || PAGES.contains(&name.as_str()), "{at}: nobody types `{line}`: add the page to lab::documents");
                    typed += 1;
                } else {
                    assert!(is_known(&line), "{at}: nobody knows how to try `{line}`");
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let begins = |begin: &str| words.starts_with(&begin.split(' ').collect::<Vec<_>>());
                    let found = NOT_TYPED.iter().find(|(begin, _)| begins(begin));
                    let (begin, _) = found.unwrap_or_else(|| panic!("{at}: `{line}` is neither typed nor in NOT_TYPED"));
                    unused.retain(|other| other != begin);
                }
            }
        }
    }
    assert!(typed >= 40, "{typed} lines were tried");
    assert!(unused.is_empty(), "no document has {unused:?}: they need no reason any more");
}

/// A page that nobody opens in the lab would count as typed.
#[test]
fn every_page_that_counts_as_typed_is_opened_in_the_lab() {
    let source = std::fs::read_to_string(root().join("tests/it/lab/documents.rs")).unwrap();
    let (_, after) = source.split_once("const PAGES: ").unwrap();
    let (_, tests) = after.split_once("];").unwrap();
    let unread: Vec<&str> = PAGES.into_iter().filter(|page| !tests.contains(&format!("\"{page}\""))).collect();
    assert!(unread.is_empty(), "no test reads {unread:?}");
}

#[test]
fn a_line_that_cannot_be_typed_is_found() {
    let typo = std::panic::catch_unwind(|| try_line("karpctl bootstrap --cluster-nam demo", "here"));
    assert!(typo.is_err());
    assert_eq!(words("karpctl doctor -o junit > doctor.xml  # a comment"), ["doctor", "-o", "junit"]);
    assert_eq!(words("karpctl generate checks | grep -c x"), ["generate", "checks"]);
    let in_a_pipe = std::panic::catch_unwind(|| try_line("karpctl generate checks | grep 'no such check'", "here"));
    assert!(in_a_pipe.is_err(), "what stands behind a pipe is run too");
    assert!(!is_known("make nothing-of-the-kind") && is_known("make rehearse"));
    let hidden = "```text\nkarpctl status\n  karpctl is no program here\nkarpctl: a word\naws sts get-caller-identity\n```\n";
    assert_eq!(hidden_commands(hidden), ["karpctl status", "aws sts get-caller-identity"]);
    assert_eq!(hidden_commands(&hidden.replace("text", "sh")), [""; 0]);
}

/// A program that a test needs. Where it is missing the test says so, and fails in CI.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
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
    let mut commands = Vec::new();
    for command in Cli::command().get_subcommands() {
        commands.push(vec![command.get_name().to_owned()]);
        commands.extend(command.get_subcommands().map(|below| vec![command.get_name().to_owned(), below.get_name().to_owned()]));
    }
    assert_eq!(pages, commands.len() + 1);
    if has("man") {
        let mut said = vec![("karpctl", "karpctl-bootstrap"), ("karpctl-init", "--defaults"), ("karpctl-bootstrap", "--dry-run")];
        for file in std::fs::read_dir(dir.path().join("man1")).unwrap() {
            let file = file.unwrap().path();
            let page = file.file_stem().unwrap().to_str().unwrap();
            let ended =
                Command::new("man").env("MANWIDTH", "100").env("MANROFFOPT", "-c").args(["--warnings", "-l"]).arg(&file).output().unwrap();
            assert!(ended.status.success() && ended.stderr.is_empty(), "{page}: {}", String::from_utf8_lossy(&ended.stderr));
            let text = String::from_utf8_lossy(&ended.stdout).replace('‐', "-");
            for word in ["NAME", "SYNOPSIS", "EXAMPLES", page] {
                assert!(text.contains(word), "{page} has no {word}: {text}");
            }
            let synopsis = text.lines().skip_while(|line| *line != "SYNOPSIS").nth(1).unwrap_or_default().trim();
            let typed = page.strip_prefix("karpctl-").unwrap_or_default();
            let words = synopsis.replace(' ', "-");
            assert!(words.starts_with(&format!("karpctl-{typed}")) && synopsis.contains(" [OPTIONS]"), "{page}: {synopsis}");
            assert!(!text.contains("EXTRA"), "{page}: {text}");
            said.retain(|(of, words)| *of != page || !text.contains(words));
            // An example is a line as it is typed, and no page is named that is not there.
            let words = commands.iter().find(|words| format!("karpctl-{}", words.join("-")) == page).cloned().unwrap_or_default();
            let help = run(dir.path(), &[words, vec!["--help".to_owned()]].concat());
            let help = String::from_utf8(help.stdout).unwrap();
            for example in help.lines().skip_while(|line| *line != "Examples:").skip(1) {
                assert!(text.lines().any(|line| line.trim() == example.trim()), "{page}: `{example}` is not in\n{text}");
            }
            assert!(!text.contains("-help(1)"), "{page}: {text}");
        }
        assert!(said.is_empty(), "not said: {said:?}");
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
    // Where more than one text is meant, an example says how it is written, and is taken.
    let fields: Vec<_> = schema["properties"].as_object().unwrap().iter().collect();
    for (field, of) in fields.iter().filter(|(_, of)| of["anyOf"].is_array() || of["type"][0] == "array" || of["type"][0] == "object") {
        let example = of["examples"].get(0).unwrap_or_else(|| panic!("{field} has no example"));
        let spec = serde_json::json!({*field: example}).to_string();
        karpctl::spec::file::parse("karpctl.yaml", &spec).unwrap_or_else(|e| panic!("{spec}: {e}"));
        assert!(of["type"][0] != "array" || of["minItems"] == 1, "{field}: an empty list is refused");
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

/// The site has no files from outside its folder, so the page names these and links to none.
#[test]
fn the_pages_of_plugins_ask_for_no_newer_programs_than_are_needed() {
    use karpctl::knowledge::writers::cured;
    use karpctl::pages::{Language, page};
    let aws = cured("aws");
    for language in [Language::En, Language::Ko] {
        for id in ["exec-answer", "exec-api-version"] {
            let text = page(id, language).unwrap();
            let mend = text.rsplit("\n## ").next().unwrap();
            let named = |release: &str| mend.contains(release.trim_matches(['(', ')']));
            assert!(aws.split(' ').filter(|word| *word != "(or").all(named), "{id} lacks {aws}: {mend}");
        }
        assert!(page("exec-answer", language).unwrap().contains(&cured("aws-iam-authenticator")));
    }
}

#[test]
fn the_page_of_pipelines_names_every_ready_step() {
    let page = std::fs::read_to_string(root().join("docs/pipelines.md")).unwrap();
    let mut steps = 0;
    for folder in std::fs::read_dir(root().join("ci")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            let name = file.strip_prefix(root()).unwrap().display();
            assert!(page.contains(&format!("`{name}`")), "docs/pipelines.md does not name {name}");
            steps += 1;
        }
    }
    assert!(steps >= 4, "{steps} steps");
}

/// The lines of a picture that lead nowhere: what goes down has beneath it what goes up, and the other way round. A line may hang from a
/// word.
fn loose_ends(picture: &[String]) -> Vec<String> {
    let (down, up) = ("┌┐├┤┬┼│", "└┘├┤┴┼│");
    let at = |row: Option<&String>, column: usize| row.and_then(|row| row.chars().nth(column)).unwrap_or(' ');
    let mut loose = Vec::new();
    for (number, row) in picture.iter().enumerate() {
        let above = number.checked_sub(1).and_then(|above| picture.get(above));
        for (column, c) in row.chars().enumerate() {
            let (over, under) = (at(above, column), at(picture.get(number + 1), column));
            if (down.contains(c) && !up.contains(under)) || (up.contains(c) && !down.contains(over) && !over.is_alphanumeric()) {
                loose.push(format!("{c} in line {} at column {}", number + 1, column + 1));
            }
        }
    }
    loose
}

#[test]
fn the_lines_of_every_picture_meet() {
    let mut pictures = 0;
    for path in documents().into_iter().chain([root().join("ARCHITECTURE.md")]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let drawn = |block: &(usize, Vec<String>)| block.1.iter().any(|line| line.contains(['┐', '└', '│']));
        for (at, picture) in blocks(&text, &["text", ""]).into_iter().filter(drawn) {
            assert_eq!(loose_ends(&picture), [""; 0], "{}, block at line {at}", path.display());
            pictures += 1;
        }
    }
    assert!(pictures >= 2, "{pictures} pictures");
    let broken = [" a ─┐", "  b ─┼─ c", " d ─┘"].map(str::to_owned);
    assert_eq!(loose_ends(&broken).len(), 3, "{:?}", loose_ends(&broken));
}
