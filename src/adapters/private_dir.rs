//! Directories that only this user may enter, for what a tool is given. One is removed when it is dropped; where karpctl is killed
//! before it can, by the next karpctl.
//!
//! A directory is held by a lock that the tool inherits: as long as the tool runs, whoever started it, its directory is in use.

use crate::error::{Error, Result};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, getuid, test_kill_process};
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PREFIX: &str = "karpctl-";
/// Holds the id of the karpctl that made the directory.
const HELD: &str = ".held";

/// A directory that only this user may enter.
pub(super) struct PrivateDir {
    dir: TempDir,
    _held: File,
}

impl PrivateDir {
    /// A new one.
    pub(super) fn new(doing: &str) -> Result<Self> {
        let make = || {
            let dir = tempfile::Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir()?;
            // It gets its name when it is locked: before, it could be taken for one that is left over.
            let first = dir.path().join(".begun");
            let mut held = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&first)?;
            held.lock()?;
            // Inherited by what is started.
            fcntl_setfd(&held, FdFlags::empty())?;
            write!(held, "{}", std::process::id())?;
            std::fs::rename(&first, dir.path().join(HELD))?;
            Ok(Self { dir, _held: held })
        };
        make().map_err(|e: std::io::Error| Error::failed(doing).because(format!("cannot make a temporary directory: {e}")))
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A new file in it that only this user may read.
    pub(super) fn file(&self, doing: &str, name: &str, content: &str) -> Result<PathBuf> {
        let file = self.path().join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut f| f.write_all(content.as_bytes()))
            .map_err(|e| Error::failed(doing).because(format!("cannot write {}: {e}", file.display())))?;
        Ok(file)
    }
}

/// Removes the directories of karpctls that are dead. Those that a tool still works in, which its karpctl has left running, are
/// answered: their ids.
#[must_use]
pub fn clear_left_over() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return Vec::new() };
    let ours = entries.flatten().filter(|e| e.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())).map(|e| e.path());
    ours.filter(|dir| still_in_use(dir)).collect()
}

/// Whether a tool works in it that its karpctl has left running. One that is left over is removed.
fn still_in_use(dir: &Path) -> bool {
    // Not through a link, and not what another user has put there.
    let is_ours = std::fs::symlink_metadata(dir).is_ok_and(|m| m.is_dir() && m.uid() == getuid().as_raw());
    let Ok(held) = OpenOptions::new().read(true).open(dir.join(HELD)) else { return false };
    if !is_ours {
        return false;
    }
    if held.try_lock().is_ok() {
        let _ = std::fs::remove_dir_all(dir);
        return false;
    }
    let maker = std::fs::read_to_string(dir.join(HELD)).ok().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    maker.is_some_and(|pid| test_kill_process(pid).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_what_is_left_over_goes() {
        let dir = PrivateDir::new("testing").unwrap();
        let file = dir.file("testing", "kubeconfig", "x").unwrap();
        assert_eq!(std::fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        // Held by this very process, which lives.
        assert!(!still_in_use(dir.path()) && dir.path().exists());
        // As a tool holds it whose karpctl is dead: no process has the highest id.
        std::fs::write(dir.path().join(HELD), i32::MAX.to_string()).unwrap();
        assert!(still_in_use(dir.path()) && dir.path().exists());
        // As nobody holds it.
        let left = tempfile::Builder::new().prefix(PREFIX).tempdir().unwrap().keep();
        std::fs::write(left.join(HELD), "1").unwrap();
        assert!(!still_in_use(&left) && !left.exists());
        // What has no mark is not ours to remove.
        let other = tempfile::Builder::new().prefix(PREFIX).tempdir().unwrap();
        assert!(!still_in_use(other.path()) && other.path().exists());
    }
}
