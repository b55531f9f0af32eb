//! A file that is there whole or not at all.

use crate::error::Error;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Result, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A text on its way into a file.
pub enum NewFile {
    /// On disk, not yet under its name.
    Beside(NamedTempFile),
    /// For what takes no other's place, as `/dev/stdout` or a pipe.
    Into(File, Vec<u8>),
}

impl NewFile {
    /// A text beside the path that it will have, with the permissions of what is there.
    pub fn with(path: &Path, text: &str) -> Result<Self> {
        // What the person's umask takes away is taken away.
        let new = Self::of_mode(path, text, 0o666)?;
        if let (Self::Beside(file), Ok(there)) = (&new, std::fs::metadata(real(path)))
            && there.is_file()
        {
            file.as_file().set_permissions(there.permissions())?;
        }
        Ok(new)
    }

    /// The same for its owner alone, whatever is there.
    pub fn private(path: &Path, text: &str) -> Result<Self> {
        Self::of_mode(path, text, 0o600)
    }

    /// The same with the owner of another file and these permissions.
    pub(super) fn of_owner(path: &Path, text: &str, like: &Metadata, mode: u32) -> Result<Self> {
        let new = Self::private(path, text)?;
        if let Self::Beside(file) = &new {
            let file = file.as_file();
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
                // Whoever runs karpctl as root must not take a person's file from them.
                fchown(file, Some(like.uid()), Some(like.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(new)
    }

    fn of_mode(path: &Path, text: &str, mode: u32) -> Result<Self> {
        let real = real(path);
        if is_device(&real) || std::fs::metadata(&real).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
            return Ok(Self::Into(OpenOptions::new().append(true).open(path)?, text.as_bytes().to_vec()));
        }
        let folder = real.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        Ok(Self::Beside(file))
    }

    /// The same once it is on the disk, so that not even a crash of the machine loses it.
    pub fn kept(self) -> Result<Self> {
        if let Self::Beside(file) = &self {
            file.as_file().sync_all()?;
        }
        Ok(self)
    }

    /// Puts it there, in the place of what is there.
    pub fn replace(self, path: &Path) -> Result<()> {
        match self {
            Self::Beside(file) => file.persist(real(path)).map(drop).map_err(|e| e.error),
            Self::Into(mut file, text) => file.write_all(&text),
        }
    }

    /// Puts it there, unless something is there.
    pub fn place(self, path: &Path) -> Result<()> {
        match self {
            Self::Beside(file) => file.persist_noclobber(path).map(drop).map_err(|e| e.error),
            Self::Into(mut file, text) => file.write_all(&text),
        }
    }
}

/// Makes a folder for files, and those above it.
pub fn folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path)
}

/// Whether something is there that is not this text: also what cannot be read, and what is no file, of which there may be no end.
#[must_use]
pub fn differs(path: &Path, text: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|there| {
        let same = there.is_file() && there.len() == text.len() as u64 && std::fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes());
        !same
    })
}

/// The failure that a file cannot be written, with what helps against that.
#[must_use]
pub fn unwritable(what: Error, path: &Path, why: &std::io::Error) -> Error {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let error = what.because(why.to_string());
    match why.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            error.hint(format!("make room in {}, or name a file elsewhere; nothing of it is left there", folder.display()))
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            error.hint(format!("name a file in a folder that you may write to; {} is not one", folder.display()))
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => error.hint(format!("make the folder first: mkdir -p {}", folder.display())),
        _ => error,
    }
}

/// The file that a path means: a link is not what is written.
fn real(path: &Path) -> PathBuf {
    // The links of /dev lead to whatever a stream is; that a shell has it open is what counts.
    if is_device(path) { path.to_owned() } else { std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) }
}

fn is_device(path: &Path) -> bool {
    path.starts_with("/dev") && !path.starts_with("/dev/shm") || path.starts_with("/proc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    fn write(path: &Path, text: &str) -> Result<()> {
        NewFile::with(path, text)?.kept()?.replace(path)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_link_stays_and_so_do_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&real, "before").unwrap();
        std::fs::set_permissions(&real, Permissions::from_mode(0o600)).unwrap();
        symlink("real", &link).unwrap();
        write(&link, "after").unwrap();
        assert!(link.is_symlink());
        assert_eq!((std::fs::read_to_string(&real).unwrap().as_str(), mode(&real)), ("after", 0o600));
        // A new file is as any other program makes it.
        let (new, usual) = (folder.path().join("new"), folder.path().join("usual"));
        write(&new, "text").unwrap();
        std::fs::write(&usual, "text").unwrap();
        assert_eq!(mode(&new), mode(&usual));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "nothing else is left");
    }

    #[test]
    fn a_device_is_written_to_and_never_replaced() {
        let full = Path::new("/dev/full");
        assert_eq!(write(full, "text").unwrap_err().kind(), ErrorKind::StorageFull);
        write(Path::new("/dev/null"), "text").unwrap();
        for device in [full, Path::new("/dev/null")] {
            assert!(std::fs::metadata(device).unwrap().file_type().is_char_device());
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink(full, &link).unwrap();
        assert!(write(&link, "text").is_err());
        assert!(link.is_symlink() && std::fs::read_dir(folder.path()).unwrap().count() == 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_and_says_what_helps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        assert!(write(&path, "text").is_err(), "a folder is there");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = folder.path().join("no/file");
        let why = write(&nowhere, "text").unwrap_err();
        let error = unwritable(Error::failed("cannot write"), &nowhere, &why);
        assert!(error.hints[0].starts_with("make the folder first"), "{error:?}");
        for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem] {
            assert!(!unwritable(Error::failed("cannot write"), &path, &kind.into()).hints.is_empty());
        }
        std::fs::write(folder.path().join("file"), "theirs").unwrap();
        let there = folder.path().join("file");
        assert!(NewFile::with(&there, "ours").unwrap().place(&there).is_err());
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "theirs");
    }
}
