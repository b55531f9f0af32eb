//! A CloudFormation stack, and how its status says that it stands.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A CloudFormation stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackFacts {
    /// The stack id (an ARN).
    pub id: String,
    /// `CREATE_COMPLETE`, …
    pub status: String,
    /// Why, where CloudFormation says so.
    pub status_reason: Option<String>,
    /// The template as it was given. `None` where it was not asked for.
    pub template: Option<String>,
    /// Parameters and their values.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether CloudFormation refuses to delete it (termination protection).
    #[serde(default)]
    pub protected: bool,
    /// Physical ids by logical id. Empty where they were not asked for.
    #[serde(default)]
    pub resources: BTreeMap<String, String>,
}

/// How a stack stands (`CloudFormation` User Guide, stack status codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackStanding {
    /// It is no more: one that is asked for by its id is told so for 90 days.
    Gone,
    /// It is being changed.
    Busy,
    /// It was never made whole, or is half gone: it takes no update and can only be deleted. So is one that has no resources yet, but a change
    /// set that somebody looks at.
    Broken,
    /// An update failed, and so did the way back: it takes no update until `continue-update-rollback` has gone through, and can be deleted.
    Stuck,
    /// An update, or an import, failed and was taken back.
    WentBack,
    /// An update failed and was not taken back.
    HalfUpdated,
    /// It is as it was last asked to be.
    Settled,
}

impl StackFacts {
    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> StackStanding {
        match self.status.as_str() {
            "DELETE_COMPLETE" => StackStanding::Gone,
            "REVIEW_IN_PROGRESS" | "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED" => StackStanding::Broken,
            "UPDATE_ROLLBACK_FAILED" => StackStanding::Stuck,
            "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => StackStanding::WentBack,
            "UPDATE_FAILED" => StackStanding::HalfUpdated,
            status if status.ends_with("_IN_PROGRESS") => StackStanding::Busy,
            _ => StackStanding::Settled,
        }
    }

    /// Its name, which its id has: `arn:…:stack/NAME/…`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.id.split('/').nth(1).unwrap_or(&self.id)
    }

    /// Whether it is no more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.standing() == StackStanding::Gone
    }

    /// Whether it is being changed.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.standing() == StackStanding::Busy
    }

    /// Whether it was never made whole, or is half gone.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.standing() == StackStanding::Broken
    }

    /// Whether it is being deleted.
    #[must_use]
    pub fn is_going(&self) -> bool {
        self.status == "DELETE_IN_PROGRESS"
    }

    /// Whether it could not be deleted.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.status == "DELETE_FAILED"
    }

    /// Whether there is nothing that it has made: its creation was taken back whole, or has not begun.
    #[must_use]
    pub fn has_nothing(&self) -> bool {
        ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"].contains(&self.status.as_str())
    }

    /// Whether its creation was taken back, or is being.
    #[must_use]
    pub fn is_taken_back(&self) -> bool {
        self.status.starts_with("ROLLBACK")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(status: &str) -> StackFacts {
        StackFacts {
            id: String::new(),
            status: status.into(),
            status_reason: None,
            template: None,
            parameters: BTreeMap::new(),
            tags: BTreeMap::new(),
            protected: false,
            resources: BTreeMap::new(),
        }
    }

    #[test]
    fn every_status_has_a_standing() {
        use StackStanding::{Broken, Busy, Gone, HalfUpdated, Settled, Stuck, WentBack};
        // All that CloudFormation's API knows (StackStatus).
        for (status, standing) in [
            ("CREATE_IN_PROGRESS", Busy),
            ("CREATE_FAILED", Broken),
            ("CREATE_COMPLETE", Settled),
            ("ROLLBACK_IN_PROGRESS", Busy),
            ("ROLLBACK_FAILED", Broken),
            ("ROLLBACK_COMPLETE", Broken),
            ("DELETE_IN_PROGRESS", Busy),
            ("DELETE_FAILED", Broken),
            ("DELETE_COMPLETE", Gone),
            ("UPDATE_IN_PROGRESS", Busy),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Busy),
            ("UPDATE_COMPLETE", Settled),
            ("UPDATE_FAILED", HalfUpdated),
            ("UPDATE_ROLLBACK_IN_PROGRESS", Busy),
            ("UPDATE_ROLLBACK_FAILED", Stuck),
            ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Busy),
            ("UPDATE_ROLLBACK_COMPLETE", WentBack),
            ("REVIEW_IN_PROGRESS", Broken),
            ("IMPORT_IN_PROGRESS", Busy),
            ("IMPORT_COMPLETE", Settled),
            ("IMPORT_ROLLBACK_IN_PROGRESS", Busy),
            ("IMPORT_ROLLBACK_FAILED", Settled),
            ("IMPORT_ROLLBACK_COMPLETE", WentBack),
        ] {
            let stack = stack(status);
            assert_eq!(stack.standing(), standing, "{status}");
        }
        assert!(stack("DELETE_FAILED").stays() && stack("DELETE_IN_PROGRESS").is_going() && !stack("DELETE_COMPLETE").is_going());
        assert!(
            stack("ROLLBACK_COMPLETE").has_nothing() && !stack("ROLLBACK_FAILED").has_nothing() && !stack("DELETE_FAILED").has_nothing()
        );
        assert!(stack("ROLLBACK_COMPLETE").is_taken_back() && !stack("UPDATE_ROLLBACK_COMPLETE").is_taken_back());
    }
}
