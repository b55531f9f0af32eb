//! `karpctl explain`: what a step or a check is, why, and how to mend it.

use crate::app::App;
use crate::checks;
use crate::error::{Error, Exit, Result};
use crate::steps;
use clap::Args;

/// Explain a step, a check, a kind of error, or a permission of the controller
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl explain node-mapping
  karpctl explain kubernetes-fit
  karpctl explain iam:PassRole
  karpctl explain credentials")]
pub struct ExplainArgs {
    /// The id; without one all ids are listed
    id: Option<String>,
}

/// Runs the command.
pub fn run(app: &App, args: &ExplainArgs) -> Result<Exit> {
    let mut texts: Vec<(String, String)> = steps::all().iter().map(|s| (s.id().to_string(), s.explain().to_owned())).collect();
    texts.extend(checks::all().iter().map(|c| (c.id().to_owned(), c.explain().to_owned())));
    texts.extend(super::explained::errors());
    texts.extend(super::explained::permissions());
    let Some(id) = &args.id else {
        for (id, _) in &texts {
            app.printer.answer(id);
        }
        return Ok(Exit::Done);
    };
    if let Some((_, text)) = texts.iter().find(|(known, _)| known == id) {
        app.printer.answer(text);
        return Ok(Exit::Done);
    }
    let error = Error::usage(format!("there is no step, check, kind of error or permission `{id}`"));
    let nearest = texts.iter().map(|(known, _)| (strsim::damerau_levenshtein(known, id), known)).filter(|(d, _)| *d <= 4).min();
    Err(match nearest {
        Some((_, known)) => error.hint(format!("did you mean `{known}`?")),
        None => error.hint("`karpctl explain` lists them all"),
    })
}
