//! IAM is eventually consistent: for some seconds others, and parts of IAM itself, do not know what was just made or undone.

use super::StepContext;
use crate::error::{Error, Result};
use std::time::Duration;
use tokio::time::Instant;

/// The longest that this is borne.
const LONGEST: Duration = Duration::from_mins(1);

/// Bears errors that pass by themselves, for a minute in all.
pub(super) struct Patience {
    until: Instant,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { until: Instant::now() + LONGEST }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    ///
    /// The error that was borne, when the time is over; or that the run was interrupted.
    pub(super) async fn bear(&self, context: &StepContext<'_>, error: Error) -> Result<()> {
        if Instant::now() < self.until { context.pause(super::BRIEF).await } else { Err(error) }
    }
}
