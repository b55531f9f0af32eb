//! Profiles whose role is taken with an MFA code (`mfa_serial`). aws asks for the code at the terminal; its SDK for Rust passes over the
//! setting, and where the role insists is refused.

/// A profile that wants an MFA code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MfaProfile<'a>(pub &'a str);

/// The words that say so, about the name.
const SAID: [&str; 2] = ["the role of the profile `", "` wants an MFA code (mfa_serial), for which karpctl cannot ask"];

impl<'a> MfaProfile<'a> {
    /// That it does, as an error says it.
    #[must_use]
    pub fn said(self) -> String {
        let [before, behind] = SAID;
        format!("{before}{}{behind}", self.0)
    }

    /// The profile of which an error says it.
    #[must_use]
    pub fn read(said: &'a str) -> Option<Self> {
        let [before, behind] = SAID;
        let (_, rest) = said.split_once(before)?;
        Some(Self(rest.split_once(behind)?.0))
    }

    /// What helps: aws 2.9.0 brought the command (awscli/customizations/configure/exportcreds.py), and keys in the environment go before the
    /// profile of `AWS_PROFILE`, not before that of --profile.
    #[must_use]
    pub fn help(self) -> String {
        let profile = self.0;
        format!(
            "have aws (2.9 or newer) ask for it: `eval \"$(aws configure export-credentials --profile {profile} --format env)\"`, then \
             `export AWS_PROFILE={profile}` in place of --profile"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::MfaProfile;

    #[test]
    fn what_is_said_of_a_profile_is_read_back() {
        let said = format!("cannot find out who you are in AWS: {}: AccessDenied", MfaProfile("prod").said());
        assert_eq!(MfaProfile::read(&said), Some(MfaProfile("prod")));
        assert_eq!(MfaProfile::read("the role of the profile `prod` is gone"), None);
    }
}
