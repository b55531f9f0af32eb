//! `karpctl explain`: what a step, a check, an error or a permission is, why, and how to mend it; and where karpctl differs from the
//! guide.

use super::answer::json;
use super::args::VariantArgs;
use super::explain_guide;
use super::explain_own::who_says;
use super::offered;
use super::session::layers;
use crate::app::App;
use crate::checks::{self, Check};
use crate::error::{Error, Exit, Result, did_you_mean};
use crate::finding::Area;
use crate::migration::Wish;
use crate::pages::{Language, page, that_go_on, that_name, that_quote};
use crate::report::{Format, Printer};
use crate::steps;
use crate::wording::first_sentence;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
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
  karpctl explain guide --karpenter-version 1.9.2
  karpctl explain node-mapping -o json")]
pub struct ExplainArgs {
    /// The id, or the text of an error; without one all ids are listed
    #[arg(value_name = "ID or ERROR", value_parser = offered::explained(), hide_possible_values = true)]
    words: Vec<String>,
    /// The language; what is not there in it is said in English
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// The id of what is no step and no check.
pub(super) const GUIDE: &str = "guide";

/// How many pages may have a word, so that the first of them is meant.
const FEW: usize = 4;

/// Two words (`connection refused`) say what happened and not to what: every page that has them is listed. One alone is the code of an error.
const SHORT: usize = 2;

impl ExplainArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.output
    }
}

/// What can be asked for by its name.
struct Topic {
    id: String,
    kind: Kind,
    text: String,
}

/// What a topic is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Step,
    Check,
    Error,
    Guide,
    /// A statement of a policy, or an action that one allows.
    Permission,
}

/// What is answered.
enum Answer<'a> {
    /// All there is to ask for.
    List,
    /// The topics of one name: a step and a check may be called the same, as they are about the same. And the checks that quote the
    /// same error.
    Text(Vec<&'a Topic>, Vec<&'a Topic>),
    /// Topics that have a word in what they quote, which is about none of them more than about another.
    Mentioned(Vec<&'a Topic>),
}

/// Runs the command.
pub fn run(app: &App, args: &ExplainArgs) -> Result<Exit> {
    let asked = args.words.join(" ");
    let mut topics = topics(args.lang);
    // A person's list has a line of its own for it.
    if asked == GUIDE || (asked.is_empty() && args.output != Format::Human) {
        topics.push(Topic { id: GUIDE.into(), kind: Kind::Guide, text: explain_guide::text(app)? });
    }
    let answer = answer_to(asked.trim(), &topics)?;
    if args.output == Format::Human {
        show(app, &asked, args.lang, &answer);
    } else {
        app.printer.document(&json(&machine(&answer, &topics), args.output.into())?);
    }
    Ok(Exit::Done)
}

/// The answer to what was asked.
fn answer_to<'a>(asked: &str, topics: &'a [Topic]) -> Result<Answer<'a>> {
    if asked.is_empty() {
        return Ok(Answer::List);
    }
    // Errors are quoted by the pages in English; what is then shown is in the language asked for.
    let checks = checks::all();
    let of_checks = checks.iter().map(|c| (c.id(), page(c.id(), Language::En).unwrap_or_else(|| c.explain())));
    let of_kinds = topics.iter().filter(|topic| topic.kind == Kind::Error).map(|topic| (topic.id.as_str(), topic.text.as_str()));
    let quoting: Vec<(&str, &str)> = of_checks.chain(of_kinds).collect();
    let quoting_topics = |ids: &[&str]| -> Vec<&Topic> {
        ids.iter().filter_map(|id| topics.iter().find(|t| matches!(t.kind, Kind::Check | Kind::Error) && t.id == *id)).collect()
    };
    let exact = topics.iter().find(|t| t.id == asked).or_else(|| by_name(topics, asked));
    let mut with_it = if exact.is_some() { Vec::new() } else { that_quote(asked, quoting.iter().copied()) };
    if exact.is_none() {
        let mut mention = that_go_on(asked, quoting.iter().copied());
        if with_it.is_empty() {
            with_it = that_name(asked, quoting.iter().copied());
            mention.clone_from(&with_it);
        }
        if with_it.is_empty() {
            let said = said_by_us(asked, topics);
            if !said.is_empty() {
                return Ok(Answer::Text(said, Vec::new()));
            }
        }
        let few = if asked.split_whitespace().count() == SHORT { 1 } else { FEW };
        if mention.len() > few && by_mention(topics, asked).is_none() {
            mention.sort_by_key(|id| quoting.iter().position(|(known, _)| known == id));
            return Ok(Answer::Mentioned(quoting_topics(&mention)));
        }
    }
    let with_it = quoting_topics(&with_it);
    if let Some(found) = exact.or_else(|| with_it.first().copied()).or_else(|| by_mention(topics, asked)) {
        let others = with_it.into_iter().skip(1).collect();
        return Ok(Answer::Text(topics.iter().filter(|t| t.id == found.id).collect(), others));
    }
    let error = Error::usage(format!("there is no step, check, kind of error or permission `{asked}`, and no page quotes such an error"));
    let near = did_you_mean(asked, topics.iter().map(|topic| topic.id.as_str()));
    let all = "`karpctl explain` lists them all";
    Err(match near {
        Some(near) => error.hint(near).hint(all),
        None => error.hint(format!("{all}; an error is found by the part that is the same for everybody")),
    })
}

/// The kinds of karpctl's own errors that say so, and the step whose words they are.
fn said_by_us<'a>(asked: &str, topics: &'a [Topic]) -> Vec<&'a Topic> {
    let (kinds, sources) = who_says(asked);
    let names: Vec<String> = kinds.into_iter().map(super::explained::name_of).collect();
    let is_meant = |topic: &&Topic| match topic.kind {
        Kind::Error => names.contains(&topic.id),
        Kind::Step => sources.contains(topic.id.as_str()),
        _ => false,
    };
    topics.iter().filter(is_meant).collect()
}

/// Prints an answer for a person.
fn show(app: &App, asked: &str, lang: Language, answer: &Answer<'_>) {
    match answer {
        Answer::List => list(&app.printer),
        Answer::Mentioned(topics) => {
            app.printer.told(&format!("{} pages have `{asked}` in what they quote; `karpctl explain ID` prints one:", topics.len()));
            let checks = checks::all();
            for topic in topics {
                let check = checks.iter().find(|check| check.id() == topic.id);
                app.printer.entry(&topic.id, check.map_or_else(|| first_sentence(&topic.text), |check| check.why()));
            }
        }
        Answer::Text(topics, others) => {
            let text = topics.iter().map(|topic| topic.text.trim_end()).collect::<Vec<_>>().join("\n\n");
            match lang {
                Language::En if topics.iter().any(|topic| topic.kind == Kind::Guide) => app.printer.told(&text),
                Language::En => app.printer.page(&text),
                // Whoever asks for it can read it, whatever the locale is called.
                Language::Ko => app.printer.document(&text),
            }
            if !others.is_empty() {
                let others = others.iter().map(|topic| topic.id.as_str()).collect::<Vec<_>>().join(", ");
                app.printer.told(&format!("\nQuoted also by: {others}"));
            }
            if let Some(check) = checks::all().iter().find(|c| topics.iter().any(|topic| topic.id == c.id())) {
                let of = if check.of_cluster() && !names_a_cluster(app) { " --cluster-name NAME --region REGION" } else { "" };
                app.printer.told(&format!("\nTo see how it is here: `karpctl doctor --only {}{of}`", check.id()));
            }
        }
    }
}

/// An answer for a program: every topic with its first sentence, and the whole text of those that were asked for.
fn machine(answer: &Answer<'_>, all: &[Topic]) -> Value {
    let brief = |topic: &&Topic| serde_json::json!({"id": topic.id, "kind": topic.kind, "summary": first_sentence(&topic.text)});
    let whole = |topic: &&Topic| {
        let mut entry = brief(topic);
        entry["text"] = topic.text.trim_end().into();
        entry
    };
    let topics: Vec<Value> = match answer {
        Answer::List => all.iter().map(|topic| brief(&topic)).collect(),
        Answer::Mentioned(topics) => topics.iter().map(brief).collect(),
        Answer::Text(topics, others) => topics.iter().map(whole).chain(others.iter().map(brief)).collect(),
    };
    serde_json::json!({"schema": "karpctl/explain/v1", "topics": topics})
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
fn topics(lang: Language) -> Vec<Topic> {
    let of_check = |c: &dyn Check| (c.id().to_owned(), page(c.id(), lang).unwrap_or_else(|| c.explain()).trim_end().to_owned());
    let steps = steps::all();
    let migration = steps::migration(&Wish::default());
    let of_steps = steps.iter().chain(&migration).map(|s| (s.id().to_string(), s.explain().to_owned()));
    let permissions = super::explained::permissions().into_iter().chain(super::explained_operator::permissions());
    let kinds: [(Kind, Vec<(String, String)>); 4] = [
        (Kind::Step, of_steps.collect()),
        (Kind::Check, checks::all().iter().map(|c| of_check(c.as_ref())).collect()),
        (Kind::Error, super::explained::errors().collect()),
        (Kind::Permission, permissions.collect()),
    ];
    kinds.into_iter().flat_map(|(kind, texts)| texts.into_iter().map(move |(id, text)| Topic { id, kind, text })).collect()
}

/// The topic whose name differs only in case, or is an action of a single service that was named without the service.
fn by_name<'a>(topics: &'a [Topic], asked: &str) -> Option<&'a Topic> {
    let whole = topics.iter().find(|topic| topic.id.eq_ignore_ascii_case(asked));
    let of_service: Vec<_> =
        topics.iter().filter(|t| t.id.split_once(':').is_some_and(|(_, action)| action.eq_ignore_ascii_case(asked))).collect();
    // The controller and whoever runs karpctl may need the same one.
    whole.or_else(|| of_service.first().copied().filter(|first| of_service.iter().all(|topic| topic.id == first.id)))
}

/// The action that a question or an error names: "why does the controller need iam:PassRole?".
fn by_mention<'a>(topics: &'a [Topic], asked: &str) -> Option<&'a Topic> {
    let mut words = asked.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '-')).map(|word| word.trim_matches(':'));
    words.find_map(|word| topics.iter().find(|topic| topic.id.contains(':') && topic.id.eq_ignore_ascii_case(word)))
}

/// Whether the settings at hand name a cluster, so that a command without flags is about it.
fn names_a_cluster(app: &App) -> bool {
    layers(app, &VariantArgs::default()).is_ok_and(|layers| layers.iter().any(|(_, layer)| layer.cluster_name.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page_at;

    /// Ten lines at 90 columns: more is not read at a terminal. Permissions are told in lines.
    #[test]
    fn no_paragraph_is_longer_than_an_eye_goes_over() {
        for Topic { id, text, .. } in topics(Language::En).iter().filter(|topic| topic.kind != Kind::Permission) {
            for paragraph in text.split("\n\n").flat_map(|block| block.split("\n- ")) {
                assert!(paragraph.chars().count() <= 900, "{id}: {} characters: {paragraph}", paragraph.chars().count());
            }
        }
    }

    /// What announces the next line ends its own, and what stands further in has a line to itself, as has what comes after it.
    #[test]
    fn every_page_reads_at_a_terminal_as_it_does_elsewhere() {
        let topics = topics(Language::En);
        assert!(topics.len() > 400 && topics.iter().any(|topic| topic.text.contains("only where:")));
        for Topic { id, text, .. } in &topics {
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
