//! `karpctl explain`: what a step, a check, an error or a permission is, why, and how to mend it; and where karpctl differs from the
//! guide.

use super::args::VariantArgs;
use super::explain_guide;
use super::offered;
use super::session::layers;
use crate::app::App;
use crate::checks::{self, Check};
use crate::error::{Error, Exit, Result, did_you_mean};
use crate::finding::Area;
use crate::migration::Wish;
use crate::pages::{Language, page, that_name, that_quote};
use crate::report::Printer;
use crate::steps;
use crate::wording::first_sentence;
use clap::Args;
use std::collections::BTreeSet;

/// Explain a step, a check, a permission (the controller's, or that of whoever runs karpctl), where the guide is not followed, or an error:
/// by its kind or as helm or kubectl print it
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl explain node-mapping
  karpctl explain exec-api-version --lang ko
  karpctl explain 'exec plugin: invalid apiVersion'
  karpctl explain iam:PassRole
  karpctl explain ec2:CreateVpc
  karpctl explain credentials
  karpctl explain guide --karpenter-version 1.9.2")]
pub struct ExplainArgs {
    /// The id, or the text of an error; without one all ids are listed
    #[arg(value_name = "ID or ERROR", value_parser = offered::explained(), hide_possible_values = true)]
    words: Vec<String>,
    /// The language; what is not there in it is said in English
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
}

/// The id of what is no step and no check.
pub(super) const GUIDE: &str = "guide";

/// How many pages may have a word, so that the first of them is meant.
const FEW: usize = 4;

/// Runs the command.
pub fn run(app: &App, args: &ExplainArgs) -> Result<Exit> {
    let checks = checks::all();
    let texts = texts(args.lang);
    let asked = args.words.join(" ");
    if asked.trim().is_empty() {
        list(&app.printer);
        return Ok(Exit::Done);
    }
    if asked == GUIDE {
        app.printer.told(&explain_guide::text(app)?);
        return Ok(Exit::Done);
    }
    // Errors are quoted by the pages in English; what is then shown is in the language asked for.
    let quoting: Vec<(&str, &str)> = checks.iter().map(|c| (c.id(), page(c.id(), Language::En).unwrap_or_else(|| c.explain()))).collect();
    let of = |id: &str| texts.iter().find(|(known, _)| known == id);
    let exact = of(&asked).or_else(|| by_name(&texts, &asked));
    let mut with_it = if exact.is_some() { Vec::new() } else { that_quote(&asked, quoting.iter().copied()) };
    if exact.is_none() && with_it.is_empty() {
        with_it = that_name(&asked, quoting.iter().copied());
        // A word that many have is about none of them.
        if with_it.len() > FEW && by_mention(&texts, &asked).is_none() {
            app.printer.told(&format!("{} pages have `{asked}` in what they quote; `karpctl explain ID` prints one:", with_it.len()));
            let named = checks.iter().filter(|check| with_it.contains(&check.id()));
            named.for_each(|check| app.printer.entry(check.id(), check.why()));
            return Ok(Exit::Done);
        }
    }
    let found = exact.or_else(|| with_it.first().and_then(|id| of(id))).or_else(|| by_mention(&texts, &asked));
    if let Some((id, _)) = found {
        // A step and a check may be called the same, as they are about the same.
        let text = texts.iter().filter(|(known, _)| known == id).map(|(_, text)| text.trim_end()).collect::<Vec<_>>().join("\n\n");
        match args.lang {
            Language::En => app.printer.page(&text),
            // Whoever asks for it can read it, whatever the locale is called.
            Language::Ko => app.printer.document(&text),
        }
        if let [_, others @ ..] = &with_it[..]
            && !others.is_empty()
        {
            app.printer.told(&format!("\nQuoted also by: {}", others.join(", ")));
        }
        if let Some(check) = checks.iter().find(|c| c.id() == id) {
            let of = if check.of_cluster() && !names_a_cluster(app) { " --cluster-name NAME --region REGION" } else { "" };
            app.printer.told(&format!("\nTo see how it is here: `karpctl doctor --only {id}{of}`"));
        }
        return Ok(Exit::Done);
    }
    let error = Error::usage(format!("there is no step, check, kind of error or permission `{asked}`, and no page quotes such an error"));
    let near = did_you_mean(&asked, texts.iter().map(|(known, _)| known.as_str()));
    let all = "`karpctl explain` lists them all";
    Err(match near {
        Some(near) => error.hint(near).hint(all),
        None => error.hint(format!("{all}; an error is found by the part that is the same for everybody")),
    })
}

/// Lists what there is to ask for: what a person meets first, and last the names that they have before them.
fn list(printer: &Printer) {
    printer.answer("Steps");
    for step in steps::all().iter().chain(&steps::migration(&Wish::default())) {
        printer.entry(step.id().as_str(), first_sentence(step.explain()));
    }
    let checks = checks::all();
    for area in [Area::Client, Area::Account, Area::Cluster, Area::Release] {
        printer.answer(&format!("\nChecks of the area {}", area.as_str()));
        checks.iter().filter(|check| check.area() == area).for_each(|check| printer.entry(check.id(), check.why()));
    }
    printer.answer("\nKinds of errors");
    for (name, meaning) in super::explained::errors() {
        printer.entry(&name, first_sentence(&meaning));
    }
    printer.answer("\nThe guide");
    printer.entry(GUIDE, "Where karpctl does not do as Karpenter's guide does, and why.");
    let named = |texts: Vec<(String, String)>, is_action: bool| {
        let names: BTreeSet<String> = texts.into_iter().map(|(name, _)| name).filter(|name| name.contains(':') == is_action).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    for (whose, policies, texts) in [
        ("Karpenter's controller", "the stack's policies", super::explained::permissions as fn() -> Vec<(String, String)>),
        ("whoever runs karpctl", "the operator policy", super::explained_operator::permissions),
    ] {
        printer.told(&format!("\nPermissions of {whose}\n  {}", named(texts(), true)));
        printer.told(&format!("\nStatements of {policies}\n  {}", named(texts(), false)));
    }
}

/// All that can be asked for by its name, but for the guide, which is told of one release.
fn texts(lang: Language) -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> =
        steps::all().iter().chain(&steps::migration(&Wish::default())).map(|s| (s.id().to_string(), s.explain().to_owned())).collect();
    let of_check = |c: &dyn Check| (c.id().to_owned(), page(c.id(), lang).unwrap_or_else(|| c.explain()).trim_end().to_owned());
    texts.extend(checks::all().iter().map(|c| of_check(c.as_ref())));
    texts.extend(super::explained::errors());
    texts.extend(super::explained::permissions());
    texts.extend(super::explained_operator::permissions());
    texts
}

/// The text whose name differs only in case, or is an action of a single service that was named without the service.
fn by_name<'a>(texts: &'a [(String, String)], asked: &str) -> Option<&'a (String, String)> {
    let whole = texts.iter().find(|(known, _)| known.eq_ignore_ascii_case(asked));
    let of_service: Vec<_> =
        texts.iter().filter(|(known, _)| known.split_once(':').is_some_and(|(_, action)| action.eq_ignore_ascii_case(asked))).collect();
    // The controller and whoever runs karpctl may need the same one.
    whole.or_else(|| of_service.first().copied().filter(|(first, _)| of_service.iter().all(|(known, _)| known == first)))
}

/// The text of the action that a question or an error names: "why does the controller need iam:PassRole?".
fn by_mention<'a>(texts: &'a [(String, String)], asked: &str) -> Option<&'a (String, String)> {
    let mut words = asked.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '-')).map(|word| word.trim_matches(':'));
    words.find_map(|word| texts.iter().find(|(known, _)| known.contains(':') && known.eq_ignore_ascii_case(word)))
}

/// Whether the settings at hand name a cluster, so that a command without flags is about it.
fn names_a_cluster(app: &App) -> bool {
    layers(app, &VariantArgs::default()).is_ok_and(|layers| layers.iter().any(|(_, layer)| layer.cluster_name.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page_at;

    /// What announces the next line ends its own, and what stands further in has a line to itself, as has what comes after it.
    #[test]
    fn every_page_reads_at_a_terminal_as_it_does_elsewhere() {
        let texts = texts(Language::En);
        assert!(texts.len() > 400 && texts.iter().any(|(_, text)| text.contains("only where:")));
        for (id, text) in &texts {
            for columns in [60, 80, 120] {
                let shown = page_at(text, columns);
                let mut shown_lines = shown.lines();
                let (mut before, mut in_item) = ("", false);
                for line in text.lines() {
                    let indented = line.starts_with(' ');
                    let begins = line.trim_start().starts_with("- ") || line.trim_start().starts_with(|c: char| c.is_ascii_digit());
                    in_item = begins || (in_item && indented);
                    let stands = !in_item && (indented || before.starts_with(' '));
                    if before.ends_with(':') || stands {
                        let margin = line.len() - line.trim_start().len();
                        let first = line[..margin].to_owned() + line.split_whitespace().next().unwrap_or_default();
                        assert!(shown_lines.any(|shown| shown.starts_with(&first)), "{id} at {columns}: `{line}`\n{shown}");
                    }
                    before = line;
                }
            }
        }
    }
}
