//! `karpctl generate`: documents of itself.

use crate::app::App;
use crate::error::{Error, Exit, Result};
use clap::{Args, Subcommand, ValueEnum};
use std::fmt::Write as _;

/// Generate completions, man pages, the command reference or a schema
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl generate completions bash
  karpctl generate schema
  karpctl generate schema doctor")]
pub struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// The man page
    Man,
    /// Completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The command reference in Markdown
    Markdown,
    /// The JSON Schema of a document
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
}

/// Runs the command. `cli` is the whole command line.
pub fn run(app: &App, args: &GenerateArgs, mut cli: clap::Command) -> Result<Exit> {
    let text = match args.what {
        What::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(cli).render(&mut page).map_err(|e| Error::failed("cannot write the man page").because(e.to_string()))?;
            String::from_utf8_lossy(&page).into_owned()
        }
        What::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut cli, "karpctl", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        }
        What::Markdown => markdown(cli),
        What::Schema { document } => {
            let schema = match document {
                Document::Spec => schemars::schema_for!(crate::spec::layer::Layer),
                Document::Doctor => schemars::schema_for!(crate::finding::DoctorReport),
            };
            super::answer::json(&schema, super::answer::Pretty::Yes)?
        }
    };
    app.printer.answer(&text);
    Ok(Exit::Done)
}

fn markdown(mut cli: clap::Command) -> String {
    cli = cli.term_width(100);
    cli.build();
    let mut out = String::from("# The command line\n\nMade by `karpctl generate markdown`.\n");
    let _ = write!(out, "\n```text\n{}\n```\n", cli.render_long_help().to_string().trim_end());
    for command in cli.get_subcommands_mut().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        let name = command.get_name().to_owned();
        let help = command.render_long_help().to_string();
        let _ = write!(out, "\n## karpctl {name}\n\n```text\n{}\n```\n", help.trim_end());
    }
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
