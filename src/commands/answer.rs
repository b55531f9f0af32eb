//! An answer as JSON.

use crate::error::{Error, Result};

/// Whether JSON is for eyes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pretty {
    /// Indented.
    Yes,
    /// One line.
    No,
}

/// A document as JSON.
pub(super) fn json(value: &impl serde::Serialize, pretty: Pretty) -> Result<String> {
    match pretty {
        Pretty::Yes => serde_json::to_string_pretty(value),
        Pretty::No => serde_json::to_string(value),
    }
    .map_err(|e| Error::failed("cannot write the answer as JSON").because(e.to_string()))
}
