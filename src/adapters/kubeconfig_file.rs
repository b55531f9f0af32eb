//! A kubeconfig on disk: changed whole or not at all, with a backup beside it that knows which change it belongs to.

use crate::error::{Error, Result};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Its text.
pub fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|e| Error::failed(format!("cannot read {}", file.display())).because(e.to_string()))
}

/// Writes a new text in the place of `before`, and returns the backup. Refused where the file says something else by now.
pub fn replace(file: &Path, before: &str, after: &str) -> Result<PathBuf> {
    let doing = || format!("cannot change {}", file.display());
    let real = std::fs::canonicalize(file).map_err(|e| Error::failed(doing()).because(e.to_string()))?;
    if read(&real)? != before {
        return Err(Error::refused(doing()).because("somebody else has changed it in the meantime").hint("run the command again"));
    }
    let backup = backup_of(&real, after);
    write(&backup, before, &real).and_then(|()| write(&real, after, &real)).map_err(|e| Error::failed(doing()).because(e.to_string()))?;
    Ok(backup)
}

/// Takes the last change back. Refused where the file is not as that change left it.
pub fn undo(file: &Path) -> Result<()> {
    let doing = || format!("cannot take back the change of {}", file.display());
    let real = std::fs::canonicalize(file).map_err(|e| Error::failed(doing()).because(e.to_string()))?;
    let backup = backup_of(&real, &read(&real)?);
    if !backup.exists() {
        return Err(Error::refused(doing())
            .because(format!("there is no {}: it was not changed by karpctl, or has been changed since", backup.display()))
            .hint(format!("backups of other changes, if any: `ls {}.karpctl-*`", real.display())));
    }
    let before = read(&backup)?;
    write(&real, &before, &real).and_then(|()| std::fs::remove_file(&backup)).map_err(|e| Error::failed(doing()).because(e.to_string()))
}

/// When it was changed to what it says now. `None`: not by karpctl, or it has been changed since.
#[must_use]
pub fn changed_at(file: &Path) -> Option<SystemTime> {
    let real = std::fs::canonicalize(file).ok()?;
    std::fs::metadata(backup_of(&real, &read(&real).ok()?)).ok()?.modified().ok()
}

/// Takes from others the right to read it.
pub fn close(file: &Path) -> Result<()> {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
        .map_err(|e| Error::failed(format!("cannot close {}", file.display())).because(e.to_string()))
}

/// Named by what the change made of the file: so a backup is found only while the file is as the change left it.
fn backup_of(file: &Path, after: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    let mut hash = String::new();
    for byte in &Sha256::digest(after.as_bytes())[..6] {
        let _ = write!(hash, "{byte:02x}");
    }
    name.push(format!(".karpctl-{hash}"));
    PathBuf::from(name)
}

/// Writes a file whole, with the permissions of another.
fn write(file: &Path, text: &str, like: &Path) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(std::fs::metadata(like)?.permissions())?;
    new.as_file().sync_all()?;
    new.persist(file).map(drop).map_err(|e| e.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_whole_and_can_be_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("config"));
        std::fs::write(&real, "before").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
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
