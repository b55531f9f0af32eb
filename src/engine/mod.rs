//! Plans and carries plans out. Knows steps by their trait, never by name, and nothing of how anything looks.

mod execute;
mod hold;
mod planner;

pub use execute::{Run, RunOutcome, execute, reads};
pub use hold::{Claim, Hold, Lives, Timing};
pub use planner::{Goal, plan};
