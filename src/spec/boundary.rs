//! What is said of the permissions boundary of the roles that karpctl creates.

use super::{Arn, InvalidName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A permissions boundary that is named, or that there is to be none: one that was set before is taken off. Where nothing is said, what is there
/// stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Boundary {
    /// None.
    None,
    /// This policy.
    Policy(Arn),
}

impl Boundary {
    /// The word for none.
    pub const NONE: &'static str = "none";

    /// The policy, where one is named.
    #[must_use]
    pub const fn policy(&self) -> Option<&Arn> {
        match self {
            Self::None => None,
            Self::Policy(arn) => Some(arn),
        }
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(Self::NONE),
            Self::Policy(arn) => arn.fmt(f),
        }
    }
}

impl FromStr for Boundary {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text == Self::NONE { Ok(Self::None) } else { text.parse().map(Self::Policy) }
    }
}

impl TryFrom<String> for Boundary {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Boundary> for String {
    fn from(boundary: Boundary) -> Self {
        boundary.to_string()
    }
}
