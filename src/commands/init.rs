//! `karpctl init`: a spec file from what is known, and from answers to what is not.

use super::answer::json;
use super::args::VariantArgs;
use super::interview::{Interview, Manner};
use crate::adapters::new_file::{NewFile, differs, unwritable};
use crate::adapters::text_file;
use crate::app::App;
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::knowledge::unknown_region;
use crate::report::Format;
use crate::shell::quoted;
use crate::spec::file::{DEFAULT_FILE, parse};
use crate::spec::resolve::{Discovered, resolve};
use crate::spec::{draft, layer::Layer, layer::Source};
use clap::Args;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// The schema's file, beside the spec file.
const SCHEMA_FILE: &str = "karpctl.schema.json";
/// The account where none is known yet.
const NOBODY: &str = "000000000000";

/// Write a commented karpctl.yaml, asking only what cannot be found out
///
/// Profiles and regions come from the AWS configuration, clusters and subnets from AWS where that is allowed. What a flag or the
/// environment says is not asked. Without credentials it asks more.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl init
  karpctl init --defaults --cluster-name demo --region us-west-2
  karpctl init --defaults --force --cluster-name demo \\
      --region us-west-2 -o json")]
pub struct InitArgs {
    /// Ask nothing: take what is known, and the usual answer to every question
    #[arg(long)]
    defaults: bool,
    /// Also write karpctl.schema.json beside the file, so that an editor completes and checks the fields; a file that is there already only gets the line that names it
    #[arg(long)]
    schema: bool,
    /// Overwrite a file that says something else
    #[arg(long)]
    force: bool,
    /// How the answer is written: as anything but human it needs --defaults or --schema, as nobody can be asked then
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    #[command(flatten)]
    variant: VariantArgs,
}

impl InitArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.output
    }
}

/// Runs the command.
pub async fn run(app: &App, args: InitArgs) -> Result<Exit> {
    let path = app.globals.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    // A file that was written before keeps what was made of it.
    if args.schema && !args.force && path.exists() {
        return schema_for(app, &args, &path);
    }
    let manner = if args.defaults { Manner::Defaults } else { Manner::Ask };
    if manner == Manner::Ask {
        if !std::io::stdin().is_terminal() {
            return Err(Error::usage("there is nobody to ask: standard input is no terminal")
                .hint("add --defaults to take the usual answers; --cluster-name and --region say the rest"));
        }
        if args.output != Format::Human {
            return Err(Error::usage("an answer as JSON goes with no questions").hint("add --defaults to take the usual answers"));
        }
        // Said before the questions, not after the last answer.
        if path.exists() && !args.force {
            return Err(is_there(&path));
        }
    }
    let given = [(Source::Flag, app.globals.layer(&args.variant)?), (Source::Environment, app.env.layer()?)];
    refuse_at_once(&given)?;
    let found = app.read(Box::pin(Interview::new(app, manner, &given).hold())).await.map_err(nothing_written)?;
    // What was answered must be a spec; an account that nobody knows yet is no reason to refuse it.
    let settled = [(Source::File(path.display().to_string()), found.layer.clone())];
    let resolved =
        resolve(&settled, &Discovered { account_id: NOBODY.parse().ok(), kubernetes: found.kubernetes, ..Discovered::default() })?;
    // What is odd about the region was said when it was known.
    let told = unknown_region(resolved.spec.region.as_str());
    let notes = resolved.notes.iter().filter(|note| Some(*note) != told.as_ref());
    notes.for_each(|note| app.printer.status(&format!("note: {note}")));

    let schema = args.schema.then_some(SCHEMA_FILE);
    let text = draft::text(&found.layer, &found.reasons, schema)?;
    let mut files = vec![(path.clone(), text)];
    if args.schema {
        files.push(schema_beside(&path)?);
    }
    write(app, &files, args.force)?;
    if args.output != Format::Human {
        return machine(app, args.output, &files, &found.layer);
    }
    if !args.schema {
        app.printer
            .paragraph(&format!("`karpctl init --schema` also writes {SCHEMA_FILE}, by which an editor completes and checks the fields."));
    }
    // Without credentials a doctor can say nothing else that helps.
    let doctor = if found.signed_in { "--area client,account" } else { "--only aws-credentials" };
    let profile = found.profile.map(|p| format!(" --profile {}", quoted(&p)));
    let file = app.globals.file.as_ref().map(|f| format!(" -f {}", quoted(&f.display().to_string())));
    let more = profile.into_iter().chain(file).collect::<String>();
    app.printer
        .copied(&format!("\nNext:\n  karpctl doctor {doctor}{more}\n  karpctl bootstrap --dry-run{more}\n  karpctl bootstrap{more}"));
    Ok(Exit::Done)
}

/// Writes the schema beside a spec file that is there, whose first line then says so; beside that it stays as it is.
fn schema_for(app: &App, args: &InitArgs, path: &Path) -> Result<Exit> {
    let mut files = vec![schema_beside(path)?];
    write(app, &files, false)?;
    let line = draft::names_schema(SCHEMA_FILE);
    // What cannot be read is not written over.
    let text = text_file::text(path).ok();
    let named = text.as_ref().is_some_and(|text| text.contains("yaml-language-server:"));
    if let Some(text) = text.filter(|text| !named && parse(&path.display().to_string(), text).is_ok()) {
        let named = [(path.to_owned(), format!("{line}\n{text}"))];
        write(app, &named, true)?;
        files.extend(named);
    } else if !named {
        app.printer.paragraph(&format!("Editors find it by this line in {}, as its first: `{line}`.", path.display()));
    }
    if args.output == Format::Human { Ok(Exit::Done) } else { machine(app, args.output, &files, &Layer::default()) }
}

/// What no answer makes right is said before the first question.
fn refuse_at_once(given: &[(Source, Layer)]) -> Result<()> {
    // What is right in one region is wrong in another: where none is named yet, the answer decides.
    let is_somewhere = given.iter().any(|(_, layer)| layer.region.is_some());
    let anywhere = |layer: &Layer| Layer { partition: None, kms_key: None, permissions_boundary: None, ..layer.clone() };
    let given: Vec<(Source, Layer)> =
        given.iter().map(|(source, layer)| (source.clone(), if is_somewhere { layer.clone() } else { anywhere(layer) })).collect();
    let answered = |existing: bool| {
        let text = |text: &str| Some(text.to_owned());
        let answers = Layer { cluster_name: text("demo"), region: text("us-west-2"), account_id: text(NOBODY), ..Layer::default() };
        let answers = Layer { existing_cluster: Some(existing), ..answers };
        let layers = given.iter().cloned().chain([(Source::Found, answers)]).collect::<Vec<_>>();
        resolve(&layers, &Discovered::default()).map(|_| ())
    };
    answered(false).or_else(|wrong| answered(true).map_err(|_| wrong))
}

/// Tells a program what was written, and the settings that are in it.
fn machine(app: &App, format: Format, files: &[(PathBuf, String)], settings: &Layer) -> Result<Exit> {
    let files: Vec<&Path> = files.iter().map(|(path, _)| path.as_path()).collect();
    let answer = serde_json::json!({"schema": "karpctl/init/v1", "files": files, "settings": settings});
    app.printer.document(&json(&answer, format.into())?);
    Ok(Exit::Done)
}

/// The schema, and where it goes.
fn schema_beside(path: &Path) -> Result<(PathBuf, String)> {
    Ok((path.with_file_name(SCHEMA_FILE), super::generate::spec_schema()? + "\n"))
}

/// An interruption is told in the same words wherever it comes.
fn nothing_written(e: Error) -> Error {
    if e.kind == ErrorKind::Interrupted { Error::new(e.kind, "interrupted; nothing was written") } else { e }
}

/// Refuses to overwrite a file that says something else.
pub(super) fn refuse_other(path: &Path, text: &str, force: bool) -> Result<()> {
    if !force && differs(path, text) { Err(is_there(path)) } else { Ok(()) }
}

fn is_there(path: &Path) -> Error {
    Error::refused(format!("{} is there already; nothing was written", path.display()))
        .hint("add --force to overwrite it, or -f FILE to write another")
}

/// Writes all files, each at once or not at all; none where one would overwrite another text.
pub(super) fn write(app: &App, files: &[(PathBuf, String)], force: bool) -> Result<()> {
    files.iter().try_for_each(|(path, text)| refuse_other(path, text, force))?;
    for (path, text) in files {
        if !force && path.exists() {
            app.printer.status(&format!("{} says so already", path.display()));
            continue;
        }
        let failed = |e: std::io::Error| {
            unwritable(Error::failed(format!("cannot write {}", path.display())), path, &e).hint("-f FILE writes another file")
        };
        let file = NewFile::with(path, text).and_then(NewFile::kept).map_err(failed)?;
        let written = if force { file.replace(path) } else { file.place(path) };
        match written {
            // Somebody else wrote it in between.
            Err(_) if !force && differs(path, text) => return Err(is_there(path)),
            Err(e) if force || !path.exists() => return Err(failed(e)),
            _ => {}
        }
        app.printer.status(&format!("wrote {}", path.display()));
    }
    Ok(())
}
