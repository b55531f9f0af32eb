//! The spec file, `karpctl.yaml`: its text to a [`Layer`], with errors that name the place.

use super::layer::Layer;
use crate::error::{Error, Result};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "karpctl.yaml";

/// Reads the text of a spec file. `path` is only for the messages.
pub fn parse(path: &str, text: &str) -> Result<Layer> {
    serde_saphyr::from_str::<Option<Layer>>(text).map(Option::unwrap_or_default).map_err(|e| invalid(path, &e.to_string()))
}

fn invalid(path: &str, why: &str) -> Error {
    let error = Error::usage(format!("{path} is not a valid spec file")).because(why);
    let error = match did_you_mean(why) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error,
    };
    error.hint("`karpctl generate schema` prints every field; examples are in examples/")
}

/// The unknown field and the known ones stand in the message; the nearest of them is what was probably meant.
fn did_you_mean(why: &str) -> Option<String> {
    let (_, rest) = why.split_once("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    let (_, known) = rest.split_once("expected one of ").or_else(|| rest.split_once("expected "))?;
    let field = unknown.to_lowercase().replace(['_', '-'], "");
    known
        .lines()
        .next()?
        .split(" or ")
        .flat_map(|names| names.split(", "))
        .map(|name| name.trim().trim_matches('`'))
        .map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &field), name))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, name)| name.to_owned())
}
