//! The dependency table of ARCHITECTURE.md, held by the sources themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Who may use whom. A module may always use itself.
const TABLE: &[(&str, &[&str])] = &[
    ("characters", &[]),
    ("error", &["characters"]),
    ("knowledge", &["error"]),
    ("spec", &["error", "knowledge"]),
    ("facts", &["knowledge", "spec"]),
    ("plan", &["error"]),
    ("inventory", &["facts", "knowledge", "spec"]),
    ("finding", &[]),
    ("accepted", &["error", "finding", "spec"]),
    ("adoption", &["error", "facts", "knowledge", "probe", "render", "spec", "steps", "wording"]),
    ("pages", &[]),
    ("shell", &["characters"]),
    ("wording", &[]),
    ("secret", &[]),
    ("token", &["error", "knowledge"]),
    ("migration", &["error", "facts", "knowledge", "render", "spec", "wording"]),
    ("ports", &["error", "facts", "knowledge", "spec"]),
    ("render", &["characters", "error", "knowledge", "spec"]),
    ("probe", &["credential", "error", "facts", "knowledge", "kubeconfig", "ports", "render", "secret", "spec"]),
    ("steps", &["error", "facts", "knowledge", "migration", "plan", "ports", "probe", "render", "shell", "spec", "wording"]),
    ("verify", &["error", "facts", "knowledge", "plan", "ports", "probe", "render", "spec", "steps", "wording"]),
    ("checks", &["error", "facts", "finding", "knowledge", "kubeconfig", "plan", "render", "shell", "spec", "steps", "wording"]),
    ("kubeconfig", &["knowledge"]),
    ("credential", &["knowledge", "kubeconfig"]),
    ("doctor", &["checks", "error", "facts", "finding", "spec"]),
    ("engine", &["error", "facts", "plan", "ports", "probe", "spec", "steps"]),
    ("report", &["characters", "error", "finding", "inventory", "plan", "shell", "spec", "wording"]),
    ("adapters", &["error", "facts", "knowledge", "ports", "spec"]),
    ("env", &["characters", "error", "spec"]),
    ("app", &["adapters", "commands", "engine", "env", "error", "facts", "ports", "report", "spec"]),
    (
        "commands",
        &[
            "accepted",
            "adapters",
            "adoption",
            "app",
            "characters",
            "checks",
            "doctor",
            "engine",
            "env",
            "error",
            "facts",
            "finding",
            "inventory",
            "knowledge",
            "kubeconfig",
            "migration",
            "pages",
            "plan",
            "ports",
            "probe",
            "render",
            "report",
            "secret",
            "shell",
            "spec",
            "steps",
            "token",
            "verify",
            "wording",
        ],
    ),
    ("cli", &["app", "characters", "commands", "env", "error", "report"]),
];

/// What only these modules and files may name: crates that reach the world, what of the standard library does, and printing.
const ONLY: &[(&str, &[&str])] = &[
    ("aws_sdk_", &["adapters"]),
    ("aws_config", &["adapters"]),
    ("kube::", &["adapters"]),
    ("tokio::process", &["adapters"]),
    ("semver::", &["knowledge"]),
    ("indicatif", &["report"]),
    ("env::var", &["env", "adapters"]),
    // The journal is appended to as it is told.
    ("std::fs", &["adapters", "report/journal"]),
    ("tokio::fs", &["adapters"]),
    ("rustix::", &["adapters"]),
    ("process::Command", &["adapters"]),
    ("std::process::{", &["adapters"]),
    ("println!", &[]),
];

/// Every source of the program: its module, its place in `src`, its text.
pub(crate) fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let module = inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((module, inside.to_path_buf(), text));
            }
        }
    }
    found
}

/// The code of a file without its comments: prose may name what code may not.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|l| !l.trim_start().starts_with("//"))
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let table: BTreeMap<&str, BTreeSet<&str>> = TABLE.iter().map(|(m, uses)| (*m, uses.iter().copied().collect())).collect();
    let mut edges = 0;
    let mut wrong = Vec::new();
    for (module, file, text) in sources().iter().filter(|(m, _, _)| m != "lib" && m != "main") {
        let allowed = table.get(module.as_str()).unwrap_or_else(|| panic!("{module} is not in the table"));
        for line in code(text) {
            for part in line.split("crate::").skip(1) {
                let used: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                edges += 1;
                if used != *module && table.contains_key(used.as_str()) && !allowed.contains(used.as_str()) {
                    wrong.push(format!("{}: {module} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(edges > 50, "the test reads no sources");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_reaches_the_world_is_named_in_one_place() {
    let mut wrong: Vec<String> = sources().iter().flat_map(|(module, file, text)| named_elsewhere(module, file, text)).collect();
    wrong.retain(|w| !w.contains("kube::") || !w.starts_with("ports"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for line in ["std::fs::write(file, text)?;", "std::env::var_os(name)", "use std::process::{Command, Stdio};", "use rustix::fs::fchown;"]
    {
        assert_eq!(named_elsewhere("commands", Path::new("commands/init.rs"), line).len(), 1, "{line}");
        assert_eq!(named_elsewhere("adapters", Path::new("adapters/new_file.rs"), line), [""; 0], "{line}");
    }
    assert_eq!(named_elsewhere("report", Path::new("report/page.rs"), "std::fs::read(file)").len(), 1, "the journal alone");
}

/// What a file names that only others may.
fn named_elsewhere(module: &str, file: &Path, text: &str) -> Vec<String> {
    let stem = file.with_extension("");
    let others = ONLY.iter().filter(|(_, owners)| !owners.iter().any(|owner| *owner == module || stem == Path::new(owner)));
    // A test makes its own files.
    let program: Vec<String> = code(text).take_while(|l| *l != "#[cfg(test)]").map(|l| l.replace("crate::adapters::kube::", "")).collect();
    others
        .filter(|(word, _)| program.iter().any(|line| line.contains(word)))
        .map(|(word, _)| format!("{} names {word}", file.display()))
        .collect()
}

/// What works with a Karpenter that may be there changes no release and no setting of it that nobody speaks of. `adopt` reads all of it by itself.
#[test]
fn every_command_with_a_plan_goes_by_the_karpenter_that_is_there() {
    let plans: Vec<(PathBuf, String)> = sources()
        .into_iter()
        .filter(|(module, file, text)| {
            module == "commands" && !file.ends_with("adopt.rs") && code(text).any(|line| line.contains("go(app, &args.way"))
        })
        .map(|(_, file, text)| (file, text))
        .collect();
    assert!(plans.len() > 3, "{plans:?}");
    for (file, text) in plans {
        let asks = |line: &str| line.contains("as_it_stands(app") || line.contains("as_installed(app");
        assert!(code(&text).any(asks), "{} plans by what it was told alone", file.display());
    }
}

#[test]
fn every_test_file_is_in_the_binary() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if stem == "main" || stem == "snapshots" {
            continue;
        }
        assert!(main.contains(&format!("mod {stem};")), "{} is not in tests/it/main.rs", path.display());
    }
}

/// The dependencies that Cargo builds for these kinds of edges, with their features.
fn built(edges: &str) -> BTreeMap<String, String> {
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--prefix", "none", "--format", "{p}|{f}", "--edges", edges])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let text = String::from_utf8(cargo.stdout).unwrap();
    text.lines().filter_map(|l| l.trim_end_matches(" (*)").split_once('|')).map(|(p, f)| (p.to_owned(), f.to_owned())).collect()
}

#[test]
fn program_and_tests_share_one_build_of_every_dependency() {
    let program = built("normal,build");
    assert!(program.len() > 100, "{program:?}");
    let tests = built("normal,build,dev");
    let twice: Vec<_> = program.iter().filter(|(package, features)| tests.get(*package) != Some(features)).collect();
    assert!(twice.is_empty(), "built twice, as the tests ask for other features: {twice:?}");
}
