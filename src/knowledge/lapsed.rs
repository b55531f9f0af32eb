//! Credentials that have ended, told by the words in which they are refused: AWS, its SDKs and the aws CLI have no common code for it.

/// Credentials that were good once, or whose log-in was never made: whoever gave them gives new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapsed {
    /// Those of a log-in by IAM Identity Center (SSO).
    Sso,
    /// Any others.
    Others,
}

impl Lapsed {
    /// What the words say. `None`: it is something else that is wrong.
    #[must_use]
    pub fn read(said: &str) -> Option<Self> {
        // What stands in backticks is a name that somebody chose: of a profile, of a file.
        let said = said.split('`').step_by(2).collect::<String>().to_lowercase();
        // A section of a configuration file that is not there.
        if said.contains("sso-session") {
            return None;
        }
        // No part of another word: "associated", "processor".
        if said.split(|c: char| !c.is_alphanumeric()).any(|word| word.starts_with("sso")) {
            return Some(Self::Sso);
        }
        said.contains("expired").then_some(Self::Others)
    }
}

#[cfg(test)]
mod tests {
    use super::Lapsed;

    #[test]
    fn an_ended_log_in_is_told_from_a_profile_that_is_called_so() {
        for (said, lapsed) in [
            ("the SSO session associated with this profile has expired or is otherwise invalid", Some(Lapsed::Sso)),
            ("an error occurred while loading an access token: failed to load the cached SSO token", Some(Lapsed::Sso)),
            ("ExpiredToken: The security token included in the request is expired", Some(Lapsed::Others)),
            ("Error when retrieving token from sso: Token has expired and refresh failed", Some(Lapsed::Sso)),
            ("SSOTokenLoadError: the token is invalid", Some(Lapsed::Sso)),
            ("the token associated with this key is of another region", None),
            ("InvalidClientTokenId: The security token included in the request is invalid", None),
            ("there is no profile `sso-dev` (AWS_PROFILE) in ~/.aws/config or ~/.aws/credentials", None),
            ("the profile `dev` names the sso-session `corp`, and ~/.aws/config has no section [sso-session corp]", None),
        ] {
            assert_eq!(Lapsed::read(said), lapsed, "{said}");
        }
    }
}
