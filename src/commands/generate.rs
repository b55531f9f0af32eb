//! `karpctl generate`: documents of itself.

use crate::adapters::new_file::{self, NewFile, unwritable};
use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::pages::{Language, page};
use clap::{Args, Subcommand, ValueEnum};
use std::fmt::Write as _;

/// Generate completions, man pages, the command reference or a schema
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl generate completions bash
  karpctl generate man --out man1
  karpctl generate schema
  karpctl generate schema doctor")]
pub struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// The man page of karpctl, or of one of its commands
    #[command(after_help = "Examples:
  karpctl generate man bootstrap
  karpctl generate man generate-completions
  karpctl generate man --out man1")]
    Man {
        /// The command; without one, karpctl itself
        command: Option<String>,
        /// Write the pages of karpctl and of every command into this folder
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        out: Option<std::path::PathBuf>,
    },
    /// Completions of a shell
    #[command(after_help = "Examples:
  karpctl generate completions bash > karpctl.bash
  karpctl generate completions zsh > _karpctl")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The command reference in Markdown
    #[command(after_help = "Examples:
  karpctl generate markdown > cli.md
  karpctl generate markdown | grep '^## '")]
    Markdown,
    /// The pages of all checks in Markdown
    #[command(after_help = "Examples:
  karpctl generate checks > checks.md
  karpctl generate checks | grep -c '^## '")]
    Checks,
    /// The JSON Schema of a document
    #[command(after_help = "Examples:
  karpctl generate schema > karpctl.schema.json
  karpctl generate schema verify")]
    Schema {
        /// The document
        #[arg(value_enum, default_value_t)]
        document: Document,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Document {
    /// The spec file
    #[default]
    Spec,
    /// What `karpctl doctor -o json` answers
    Doctor,
    /// The file of `karpctl doctor --accepted`
    Accepted,
    /// What `karpctl verify -o json` answers
    Verify,
}

/// Runs the command. `cli` is the whole command line.
pub fn run(app: &App, args: &GenerateArgs, cli: clap::Command) -> Result<Exit> {
    let text = match &args.what {
        What::Man { out: Some(folder), .. } => return write_man_pages(app, &cli, folder),
        What::Man { command, out: None } => man_page(&cli, command.as_deref())?,
        What::Completions { shell } => super::completions::script(*shell, cli),
        What::Markdown => markdown(cli),
        What::Checks => checks_page(),
        What::Schema { document: Document::Accepted } => {
            super::answer::json(&schemars::schema_for!(crate::accepted::AcceptedFindings), super::answer::Pretty::Yes)?
        }
        What::Schema { document: Document::Spec } => spec_schema()?,
        What::Schema { document: Document::Doctor } => {
            super::answer::json(&schemars::schema_for!(crate::finding::DoctorReport), super::answer::Pretty::Yes)?
        }
        What::Schema { document: Document::Verify } => {
            super::answer::json(&schemars::schema_for!(crate::verify::VerifyReport), super::answer::Pretty::Yes)?
        }
    };
    app.printer.document(&text);
    Ok(Exit::Done)
}

/// The pages: karpctl, and each command under the name by which `man` finds it.
fn man_pages(cli: &clap::Command) -> Vec<(String, clap::Command)> {
    let mut cli = without_help(cli.clone());
    cli.build();
    let mut pages = vec![("karpctl".to_owned(), cli.clone())];
    for (words, command) in documented(&cli) {
        let name = format!("karpctl-{}", words.replace(' ', "-"));
        pages.push((name.clone(), command.name(name).version(env!("CARGO_PKG_VERSION"))));
    }
    pages
}

/// Without the commands `help`, of which there is no page.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// The commands, and those below them: `destroy`, `migrate cluster-autoscaler`.
fn documented(cli: &clap::Command) -> Vec<(String, clap::Command)> {
    let shown = |c: &&clap::Command| !c.is_hide_set() && c.get_name() != "help";
    let mut all = Vec::new();
    for command in cli.get_subcommands().filter(shown) {
        all.push((command.get_name().to_owned(), command.clone()));
        let below = command.get_subcommands().filter(shown);
        all.extend(below.map(|c| (format!("{} {}", command.get_name(), c.get_name()), c.clone())));
    }
    all
}

fn man_text(mut command: clap::Command) -> Result<String> {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(|e| Error::failed("cannot write the man page").because(e.to_string()))?;
    Ok(as_pages_are(&String::from_utf8_lossy(&page), &usage))
}

/// The page as those of other programs are: its synopsis is a line, in which flags are `[OPTIONS]`; exit codes and examples have sections
/// of their own, the examples in the lines in which they are typed.
fn as_pages_are(page: &str, usage: &str) -> String {
    let mut made = String::with_capacity(page.len() + 64);
    let (mut section, mut is_example) = ("", false);
    for line in page.lines() {
        if let Some(name) = line.strip_prefix(".SH ") {
            if std::mem::take(&mut is_example) {
                made.push_str(".fi\n");
            }
            section = name;
            if section == "EXTRA" {
                continue;
            }
        }
        match line {
            "Examples:" => {
                made.push_str(".SH EXAMPLES\n.nf\n");
                is_example = true;
            }
            codes if codes.starts_with("Exit codes: ") => {
                made.push_str(".SH EXIT STATUS\n");
                made.push_str(&codes["Exit codes: ".len()..]);
                made.push('\n');
            }
            typed if section == "SYNOPSIS" && typed.starts_with("\\fB") => {
                let name = typed.trim_start_matches("\\fB").split("\\fR").next().unwrap_or_default();
                let _ = writeln!(made, "\\fB{name}\\fR{}", usage.strip_prefix(name).unwrap_or_default());
            }
            "" if section == "EXTRA" && !is_example => {}
            other => {
                made.push_str(other);
                made.push('\n');
            }
        }
    }
    if is_example {
        made.push_str(".fi\n");
    }
    made
}

fn man_page(cli: &clap::Command, command: Option<&str>) -> Result<String> {
    let name = command.map_or_else(|| "karpctl".to_owned(), |command| format!("karpctl-{command}"));
    let Some((_, page)) = man_pages(cli).into_iter().find(|(known, _)| *known == name) else {
        return Err(Error::usage(format!("there is no command `{}`", command.unwrap_or_default())).hint("`karpctl help` lists them"));
    };
    man_text(page)
}

fn write_man_pages(app: &App, cli: &clap::Command, folder: &std::path::Path) -> Result<Exit> {
    let failed = |e: std::io::Error| Error::failed(format!("cannot write to {}", folder.display())).because(e.to_string());
    new_file::folder(folder).map_err(failed)?;
    for (name, page) in man_pages(cli) {
        let path = folder.join(format!("{name}.1"));
        let text = man_text(page)?;
        NewFile::with(&path, &text)
            .and_then(|new| new.replace(&path))
            .map_err(|e| unwritable(Error::failed(format!("cannot write {}", path.display())), &path, &e))?;
        app.printer.status(&format!("wrote {}", path.display()));
    }
    Ok(Exit::Done)
}

/// The JSON Schema of the spec file.
pub(super) fn spec_schema() -> Result<String> {
    super::answer::json(&schemars::schema_for!(crate::spec::layer::Layer), super::answer::Pretty::Yes)
}

fn markdown(mut cli: clap::Command) -> String {
    cli = cli.term_width(100);
    cli.build();
    let mut out = String::from("# The command line\n\nMade by `karpctl generate markdown`.\n");
    let _ = write!(out, "\n```text\n{}\n```\n", cli.render_long_help().to_string().trim_end());
    for (name, mut command) in documented(&cli) {
        let help = command.render_long_help().to_string();
        let _ = write!(out, "\n## karpctl {name}\n\n```text\n{}\n```\n", help.trim_end());
    }
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Every check: a list of them, then the page of each.
/// A text in which `<cluster>` stands for a name: outside of code a page takes it for HTML, and shows nothing.
fn shown(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { part.replace('<', "&lt;") } else { part.to_owned() }).collect::<Vec<_>>().join("`")
}

fn checks_page() -> String {
    let checks = crate::checks::all();
    let mut out =
        String::from("# The checks of karpctl doctor\n\nMade by `karpctl generate checks`. `karpctl explain ID` prints one of them.\n");
    out.push_str("\n| check | area | why |\n|---|---|---|\n");
    for check in &checks {
        let id = check.id();
        let _ = writeln!(out, "| [{id}](#{id}) | {} | {} |", check.area().as_str(), shown(check.why()).replace('|', "\\|"));
    }
    for check in &checks {
        let _ = write!(out, "\n## {}\n\n", check.id());
        match page(check.id(), Language::En) {
            // The page's own headings stand below the check's.
            Some(page) => page.lines().for_each(|line| {
                let _ = writeln!(out, "{}{line}", if line.starts_with('#') { "##" } else { "" });
            }),
            None => {
                let _ = writeln!(out, "{}", shown(check.explain()));
            }
        }
    }
    out.trim_end().to_owned()
}
