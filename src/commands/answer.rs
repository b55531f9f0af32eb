//! An answer as JSON.

use crate::characters::written_out;
use crate::error::{Error, Result};
use crate::report::Format;

/// Whether JSON is for eyes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pretty {
    /// Indented.
    Yes,
    /// One line.
    No,
}

impl From<Format> for Pretty {
    fn from(format: Format) -> Self {
        if format == Format::Ndjson { Self::No } else { Self::Yes }
    }
}

/// A document as JSON, in which every character that a terminal would obey is escaped.
pub(super) fn json(value: &impl serde::Serialize, pretty: Pretty) -> Result<String> {
    let text = match pretty {
        Pretty::Yes => serde_json::to_string_pretty(value),
        Pretty::No => serde_json::to_string(value),
    };
    text.map(|t| written_out(&t).into_owned()).map_err(|e| Error::failed("cannot write the answer as JSON").because(e.to_string()))
}
