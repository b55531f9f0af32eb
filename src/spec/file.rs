//! The spec file, `karpctl.yaml`: its text to a [`Layer`], with errors that name the place.

use super::layer::Layer;
use crate::error::{Error, Result};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "karpctl.yaml";

/// Reads the text of a spec file. `path` is only for the messages.
pub fn parse(path: &str, text: &str) -> Result<Layer> {
    serde_saphyr::from_str::<Option<Layer>>(text).map(Option::unwrap_or_default).map_err(|e| invalid(path, text, &e.to_string()))
}

fn invalid(path: &str, _text: &str, why: &str) -> Error {
    let error = Error::usage(format!("{path} is not a valid spec file")).because(why);
    let error = match did_you_mean(why) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error,
    };
    error.hint("`karpctl generate schema` prints every field; examples are in examples/")
}

/// serde names the unknown field and the known ones; the nearest of them is what was probably meant.
fn did_you_mean(why: &str) -> Option<String> {
    let mut quoted = why.lines().next().unwrap_or_default().split('`').skip(1).step_by(2);
    let all: Vec<&str> = why.split('`').skip(1).step_by(2).collect();
    let unknown = quoted.next().filter(|_| why.contains("unknown field"))?;
    let field = unknown.to_lowercase().replace(['_', '-'], "");
    all.into_iter()
        .filter(|known| *known != unknown)
        .map(|known| (strsim::damerau_levenshtein(&known.to_lowercase(), &field), known))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, known)| known.to_owned())
}
