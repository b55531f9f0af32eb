//! `karpctl explain`: what a step or a check is, why, and how to mend it; and where karpctl differs from the guide.

use super::explain_guide;
use crate::app::App;
use crate::checks;
use crate::error::{Error, Exit, Result};
use crate::steps;
use clap::Args;

/// Explain a step, a check, a kind of error, a permission of the controller, or where the guide is not followed
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl explain node-mapping
  karpctl explain kubernetes-fit
  karpctl explain iam:PassRole
  karpctl explain credentials
  karpctl explain guide --karpenter-version 1.9.2")]
pub struct ExplainArgs {
    /// The id; without one all ids are listed
    id: Option<String>,
}

/// The id of what is no step and no check.
const GUIDE: &str = "guide";

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
        app.printer.answer(GUIDE);
        return Ok(Exit::Done);
    };
    if id == GUIDE {
        app.printer.answer(&explain_guide::text(app)?);
        return Ok(Exit::Done);
    }
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
