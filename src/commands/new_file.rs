//! A file that is there whole or not at all.

use std::io::Write as _;
use std::path::Path;
use tempfile::NamedTempFile;

/// A text on disk, not yet under its name.
pub(super) struct NewFile(NamedTempFile);

impl NewFile {
    /// A text beside the path that it will have.
    pub(super) fn with(path: &Path, text: &str) -> std::io::Result<Self> {
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        #[cfg(unix)]
        std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        Ok(Self(file))
    }

    /// Puts it there, in the place of what is there.
    pub(super) fn replace(self, path: &Path) -> std::io::Result<()> {
        self.0.persist(path).map(drop).map_err(|e| e.error)
    }

    /// Puts it there, unless something is there.
    pub(super) fn place(self, path: &Path) -> std::io::Result<()> {
        self.0.persist_noclobber(path).map(drop).map_err(|e| e.error)
    }
}
