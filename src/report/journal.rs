//! The journal: what happened, kept for the person and for support. It informs; it never decides.

use crate::characters::written_out;
use crate::plan::Event;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The schema id of a line.
const SCHEMA: &str = "karpctl/event/v1";

/// Appends a JSON line an event to a file. No run fails for its journal.
pub struct Journal {
    path: PathBuf,
    file: Mutex<Option<std::fs::File>>,
}

impl Journal {
    /// Opens the journal of a cluster below the state home. `None` where there is no home; an error where it cannot be written.
    pub fn open(state_home: Option<&Path>, account: &str, region: &str, cluster: &str) -> std::io::Result<Option<Self>> {
        let Some(folder) = state_home.map(|home| home.join("karpctl")) else { return Ok(None) };
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{account}-{region}-{cluster}.ndjson"));
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true).read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        end_last_line(&mut file)?;
        Ok(Some(Self { path, file: Mutex::new(Some(file)) }))
    }

    /// Appends an event. The first failure is answered; after it nothing more is written.
    pub fn write(&self, event: &Event) -> std::io::Result<()> {
        let mut guard = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(file) = guard.as_mut() else { return Ok(()) };
        // Line and end in one write: a run that is killed in between would leave half of it.
        file.write_all(format!("{}\n", event_line(event)).as_bytes()).inspect_err(|_| *guard = None)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Ends a line that a full disk or a crash cut off, so that what is written next stands on one of its own.
fn end_last_line(file: &mut std::fs::File) -> std::io::Result<()> {
    // What is no regular file has no end to look at.
    let mut last = [0];
    if file.metadata()?.is_file() && file.seek(SeekFrom::End(-1)).is_ok() && file.read(&mut last)? == 1 && last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// An event as a line: schema and time first.
#[must_use]
pub fn event_line(event: &Event) -> String {
    let mut value = serde_json::json!({ "schema": SCHEMA, "time": jiff::Timestamp::now().to_string() });
    if let (Some(object), Ok(serde_json::Value::Object(fields))) = (value.as_object_mut(), serde_json::to_value(event)) {
        object.extend(fields);
    }
    written_out(&value.to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_cannot_be_written_says_so_once() {
        let home = tempfile::tempdir().unwrap();
        let open = |home: &Path| Journal::open(Some(home), "111122223333", "us-west-2", "demo");
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(open(&file).is_err(), "a file is no home");
        let folder = home.path().join("karpctl");
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.join("111122223333-us-west-2-demo.ndjson")).unwrap();
        let full = open(home.path()).unwrap().unwrap();
        let event = Event::RunStarted { changes: 1 };
        assert!(full.write(&event).is_err());
        assert!(full.write(&event).is_ok(), "it is said once");
        assert!(Journal::open(None, "1", "2", "3").unwrap().is_none(), "without a home there is none");
    }

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other() {
        let home = tempfile::tempdir().unwrap();
        let open = || Journal::open(Some(home.path()), "111122223333", "us-west-2", "demo").unwrap().unwrap();
        let event = Event::RunStarted { changes: 1 };
        open().write(&event).unwrap();
        let mut text = std::fs::read_to_string(open().path()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        text.push_str("{\"schema\":");
        std::fs::write(open().path(), &text).unwrap();
        open().write(&event).unwrap();
        let lines: Vec<String> = std::fs::read_to_string(open().path()).unwrap().lines().map(str::to_owned).collect();
        assert_eq!((lines.len(), lines[1].as_str()), (3, "{\"schema\":"), "{lines:?}");
        assert!(lines[2].contains("karpctl/event/v1"), "{lines:?}");
    }
}
