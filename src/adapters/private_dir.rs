//! Directories that only this user may enter, for what a tool is given. One is removed when it is dropped; where karpctl is killed
//! before it can, by the next karpctl.
//!
//! A directory is held by a lock that the tool inherits: as long as the tool runs, whoever started it, its directory is in use.

use crate::error::{Error, Result};
use rustix::fs::OFlags;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, getuid, test_kill_process};
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const PREFIX: &str = "karpctl-";
/// Holds the id of the karpctl that made the directory.
const HELD: &str = ".held";
/// Its name until it is locked.
const BEGUN: &str = ".begun";
/// How old a directory without a mark is that nobody is about to mark any more.
const UNMARKED: Duration = Duration::from_hours(1);

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
            let first = dir.path().join(BEGUN);
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
    // Not through a link, and nothing of what another user has put there is opened: it may be a pipe that never answers.
    let Ok(there) = std::fs::symlink_metadata(dir) else { return false };
    if !there.is_dir() || there.uid() != getuid().as_raw() {
        return false;
    }
    let no_pipe_no_link = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let mut held = match OpenOptions::new().read(true).custom_flags(no_pipe_no_link).open(dir.join(HELD)) {
        Ok(held) if held.metadata().is_ok_and(|m| m.is_file()) => held,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            remove_unmarked(dir, &there);
            return false;
        }
        _ => return false,
    };
    if held.try_lock().is_ok() {
        let _ = std::fs::remove_dir_all(dir);
        return false;
    }
    let mut maker = String::new();
    let _ = held.read_to_string(&mut maker);
    maker.parse().ok().and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid).is_err())
}

/// Removes a directory whose maker was killed before it could mark it. One that holds anything else is somebody's.
fn remove_unmarked(dir: &Path, there: &Metadata) {
    let is_old = there.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > UNMARKED);
    let only_begun = || std::fs::read_dir(dir).is_ok_and(|files| files.flatten().all(|file| file.file_name() == BEGUN));
    if is_old && only_begun() {
        let _ = std::fs::remove_file(dir.join(BEGUN));
        let _ = std::fs::remove_dir(dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

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

    #[test]
    fn one_that_got_no_mark_goes_once_it_is_old() {
        for (name, goes) in [(None, true), (Some(BEGUN), true), (Some("theirs"), false)] {
            let dir = tempfile::Builder::new().prefix(PREFIX).tempdir().unwrap().keep();
            if let Some(name) = name {
                std::fs::write(dir.join(name), "").unwrap();
            }
            assert!(!still_in_use(&dir) && dir.exists(), "its maker may be about to mark it: {name:?}");
            File::open(&dir).unwrap().set_modified(SystemTime::now() - UNMARKED * 2).unwrap();
            assert!(!still_in_use(&dir), "{name:?}");
            assert_eq!(dir.exists(), !goes, "{name:?}");
            let _ = std::fs::remove_dir_all(&dir);
        }
    }

    #[test]
    fn a_mark_that_is_no_file_is_not_waited_for() {
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join(HELD)).status().unwrap();
        assert!(made.success());
        let (tell, told) = std::sync::mpsc::channel();
        let path = dir.path().to_owned();
        std::thread::spawn(move || tell.send(still_in_use(&path)));
        assert_eq!(told.recv_timeout(Duration::from_secs(5)), Ok(false), "it hangs");
        assert!(dir.path().exists());
    }
}
