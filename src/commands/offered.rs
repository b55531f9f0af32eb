//! What completions offer for an argument. What is taken is judged where it is used: a name that is wrong is then told with the nearest, and with the
//! place where it stands, as in the spec file.

use crate::checks;
use crate::error::ErrorKind;
use crate::plan::StepId;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Error;
use clap::{Arg, Command};
use std::ffi::OsStr;

/// Takes any word, and offers some.
#[derive(Clone)]
pub(super) struct Offered(fn() -> Vec<String>);

impl TypedValueParser for Offered {
    type Value = String;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}

/// How the controller gets its credentials.
pub(super) fn identities() -> Offered {
    Offered(|| words(&["pod-identity", "irsa"]))
}

/// How nodes are let in.
pub(super) fn node_accesses() -> Offered {
    Offered(|| words(&["aws-auth", "access-entry", "both"]))
}

/// The IP families.
pub(super) fn ip_families() -> Offered {
    Offered(|| words(&["ipv4", "ipv6"]))
}

/// The ids of all checks.
pub(super) fn check_ids() -> Offered {
    Offered(|| checks::all().iter().map(|check| check.id().to_owned()).collect())
}

/// What can be explained and has no colon in its name: by one, bash ends a word.
pub(super) fn explained() -> Offered {
    Offered(|| {
        let steps = StepId::ALL.into_iter().chain(StepId::MIGRATION).map(|id| id.to_string());
        let checks = checks::all();
        let kinds = ErrorKind::ALL.into_iter().map(super::explained::name_of);
        let mut names: Vec<String> = steps.chain(checks.iter().map(|check| check.id().to_owned())).chain(kinds).collect();
        names.push(super::explain::GUIDE.to_owned());
        names.sort();
        names.dedup();
        names
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::layer::{Layer, Source};
    use crate::spec::resolve::{Discovered, resolve};

    /// What is offered is taken.
    #[test]
    fn the_words_of_the_spec_are_those_that_it_takes() {
        let spec = |set: &dyn Fn(&mut Layer)| {
            let text = |text: &str| Some(text.to_owned());
            let mut layer =
                Layer { cluster_name: text("demo"), region: text("us-west-2"), account_id: text("111122223333"), ..Layer::default() };
            set(&mut layer);
            resolve(&[(Source::Flag, layer)], &Discovered::default()).map(|resolved| resolved.spec)
        };
        for word in (identities().0)() {
            assert!(spec(&|layer| layer.identity = Some(word.clone())).is_ok(), "{word}");
        }
        for word in (node_accesses().0)() {
            assert!(spec(&|layer| layer.node_access = Some(word.clone())).is_ok(), "{word}");
        }
        for word in (ip_families().0)() {
            assert!(spec(&|layer| layer.ip_family = Some(word.clone())).is_ok(), "{word}");
        }
    }
}
