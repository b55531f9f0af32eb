//! Files that a person, or a file of somebody else's, names: any path may be one that never ends.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// The longest that is read. Nothing that karpctl takes is near this.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Its bytes.
pub fn bytes(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(file)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if read as u64 > LONGEST {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {} MiB", LONGEST >> 20)));
    }
    Ok(bytes)
}

/// Its text.
pub fn text(file: &Path) -> Result<String> {
    String::from_utf8(bytes(file)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Whether it is a pipe, which gives its text once.
#[must_use]
pub fn is_pipe(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.file_type().is_fifo())
}
