//! Which client-go a program was built with, as its file says it: judged by Go's own reader, for every program of the lab that has one.

use super::is_installed;
use karpctl::adapters::Versions;
use karpctl::adapters::workstation::ThisMachine;
use karpctl::knowledge::Tool;
use karpctl::ports::Workstation;
use std::path::{Path, PathBuf};
use std::process::Command;

fn programs() -> Vec<PathBuf> {
    let cache = std::env::var_os("KARPCTL_LAB_CACHE").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/karpctl-lab"));
    std::fs::read_dir(cache.join("bin")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// What `go version -m` says of client-go: of a module that was replaced, the version of what it was replaced with. A kubectl that was built
/// in its own checkout says none.
fn by_go(program: &Path) -> Option<u16> {
    let said = Command::new("go").args(["version", "-m"]).arg(program).output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let mut lines = said.lines().skip_while(|line| !line.starts_with("\tdep\tk8s.io/client-go\t"));
    let (dep, next) = (lines.next()?, lines.next().unwrap_or_default());
    let line = if next.starts_with("\t=>\t") { next } else { dep };
    let version = line.split('\t').find(|word| word.starts_with("v0."))?;
    version.split('.').nth(1)?.parse().ok()
}

#[tokio::test]
async fn the_client_go_of_any_program_is_read_from_its_file() {
    if !is_installed() {
        return;
    }
    let machine = ThisMachine { versions: Versions::default() };
    let mut read = Vec::new();
    for program in programs() {
        let Some(expected) = by_go(&program) else { continue };
        let found = machine.client(Tool::Kubectl, Some(&program)).await.unwrap().unwrap();
        assert_eq!(found.build.map(|build| build.client_go), Some(expected), "{}", program.display());
        assert_eq!(found.build_source, "its own build information", "{}", program.display());
        read.push(program.file_name().unwrap().to_str().unwrap().to_owned());
    }
    // One whose client-go is replaced, controllers, and the newest clients.
    for name in ["eksctl", "karpenter-1.0.8", "karpenter-1.14.1", "kube-apiserver", "kwok", "helm-3.8.1", "helm-4.3.2", "kubectl-1.37.2"] {
        assert!(read.iter().any(|r| r == name), "{name} was not read: {read:?}");
    }
}
