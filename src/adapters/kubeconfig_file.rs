//! A kubeconfig on disk: changed whole or not at all, with a backup beside it that knows which change it belongs to.

use super::new_file::NewFile;
use crate::error::{Error, Result};
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Its text.
pub fn read(file: &Path) -> Result<String> {
    super::text_file::text(file).map_err(|e| Error::failed(format!("cannot read {}", file.display())).because(e.to_string()))
}

/// Writes a new text in the place of `before`, and returns the backup. Refused where the file says something else by now.
pub fn replace(file: &Path, before: &str, after: &str) -> Result<PathBuf> {
    let doing = || format!("cannot change {}", file.display());
    let failed = |e: std::io::Error| Error::failed(doing()).because(e.to_string());
    let real = std::fs::canonicalize(file).map_err(failed)?;
    if read(&real)? != before {
        return Err(Error::refused(doing()).because("somebody else has changed it in the meantime").hint("run the command again"));
    }
    let like = std::fs::metadata(&real).map_err(failed)?;
    let backup = keep(&real, before, after, &like).map_err(failed)?;
    write(&real, after, &like, like.mode()).map_err(failed)?;
    Ok(backup)
}

/// Takes the last change back, of the text and of who may read it. Refused where the file is not as that change left it.
pub fn undo(file: &Path) -> Result<()> {
    let doing = || format!("cannot take back the change of {}", file.display());
    let failed = |e: std::io::Error| Error::failed(doing()).because(e.to_string());
    let real = std::fs::canonicalize(file).map_err(failed)?;
    let Some((backup, mode)) = backup_of(&real, &read(&real)?) else {
        return Err(Error::refused(doing())
            .because("it was not changed by karpctl, or has been changed since")
            .hint(format!("backups of other changes, if any: `ls {}.karpctl-*`", real.display())));
    };
    let before = read(&backup)?;
    let like = std::fs::metadata(&real).map_err(failed)?;
    write(&real, &before, &like, mode).and_then(|()| std::fs::remove_file(&backup)).map_err(failed)
}

/// When it was changed to what it says now. `None`: not by karpctl, or it has been changed since.
#[must_use]
pub fn changed_at(file: &Path) -> Option<SystemTime> {
    let real = std::fs::canonicalize(file).ok()?;
    let (backup, _) = backup_of(&real, &read(&real).ok()?)?;
    std::fs::metadata(backup).ok()?.modified().ok()
}

/// Takes from others the right to read it, with a backup that knows who could.
pub fn close(file: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::failed(format!("cannot close {}", file.display())).because(e.to_string());
    let real = std::fs::canonicalize(file).map_err(failed)?;
    let text = read(&real)?;
    // The backup of a change of its text, made a moment ago, knows it already.
    if backup_of(&real, &text).is_none() {
        keep(&real, &text, &text, &std::fs::metadata(&real).map_err(failed)?).map_err(failed)?;
    }
    std::fs::set_permissions(&real, Permissions::from_mode(0o600)).map_err(failed)
}

/// What the backups of a file are named that a change left so: a backup is found only while the file is as its change left it. The
/// permissions follow, in octal digits: the backup itself is for its owner alone.
fn backup_name(file: &Path, after: &str) -> OsString {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    let hash: String = Sha256::digest(after.as_bytes())[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    name.push(format!(".karpctl-{hash}-"));
    name
}

/// The backup of what a file says now, and the permissions of before.
fn backup_of(file: &Path, now: &str) -> Option<(PathBuf, u32)> {
    let name = backup_name(file, now);
    std::fs::read_dir(folder_of(file)).ok()?.flatten().find_map(|entry| {
        let digits = entry.file_name().as_encoded_bytes().strip_prefix(name.as_encoded_bytes())?.to_owned();
        let mode = u32::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?;
        Some((entry.path(), mode))
    })
}

/// Writes a backup.
fn keep(file: &Path, before: &str, after: &str, like: &Metadata) -> std::io::Result<PathBuf> {
    let mut name = backup_name(file, after);
    name.push(format!("{:o}", like.mode() & 0o7777));
    let backup = folder_of(file).join(name);
    write(&backup, before, like, 0o600)?;
    Ok(backup)
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

/// Writes a file whole, with the owner of another and these permissions.
fn write(file: &Path, text: &str, like: &Metadata, mode: u32) -> std::io::Result<()> {
    NewFile::of_owner(file, text, like, mode)?.kept()?.replace(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_whole_and_can_be_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("config"));
        std::fs::write(&real, "before").unwrap();
        std::fs::set_permissions(&real, Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let backup = replace(&link, "before", "after").unwrap();
        assert_eq!((read(&real).unwrap().as_str(), read(&backup).unwrap().as_str()), ("after", "before"));
        for file in [&real, &backup] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        undo(&link).unwrap();
        assert_eq!(read(&real).unwrap(), "before");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn what_was_closed_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        let open = || {
            std::fs::write(&file, "before").unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        };
        open();
        close(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        undo(&file).unwrap();
        assert_eq!((read(&file).unwrap().as_str(), mode(&file)), ("before", 0o640));
        // With a change of the text it is one change, and the copy is closed from the beginning.
        let backup = replace(&file, "before", "after").unwrap();
        assert_eq!((mode(&file), mode(&backup)), (0o640, 0o600));
        close(&file).unwrap();
        undo(&file).unwrap();
        assert_eq!((read(&file).unwrap().as_str(), mode(&file)), ("before", 0o640));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_keeps_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(&file, "before").unwrap();
        // Only root can give a file away; another can give it to a group of theirs, or to nobody but themselves.
        let other = if rustix::process::geteuid().is_root() { 12345 } else { rustix::process::geteuid().as_raw() };
        std::os::unix::fs::chown(&file, Some(other), None).unwrap();
        let backup = replace(&file, "before", "after").unwrap();
        for file in [&file, &backup] {
            assert_eq!(std::fs::metadata(file).unwrap().uid(), other);
        }
        undo(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().uid(), other);
    }

    #[test]
    fn what_others_wrote_since_is_never_lost() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(&file, "theirs").unwrap();
        assert!(replace(&file, "before", "after").is_err());
        assert_eq!(read(&file).unwrap(), "theirs");
        replace(&file, "theirs", "after").unwrap();
        std::fs::write(&file, "later").unwrap();
        assert!(undo(&file).unwrap_err().to_string().contains("changed since"));
        assert_eq!(read(&file).unwrap(), "later");
    }
}
