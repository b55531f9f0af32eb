//! The command line.

use crate::app::App;
use crate::characters::acts;
use crate::commands::args::GlobalArgs;
use crate::commands::other_words::with_what_is_meant;
use crate::commands::{
    adopt, bootstrap, destroy, doctor, explain, generate, init, migrate, parts, rehearse, render, status, token, verify, version, versions,
};
use crate::env::Env;
use crate::error::{Error, Exit, Result};
use crate::report::{ColorChoice, Format, Printer, Verbosity, show_error};
use clap::{CommandFactory, Parser, Subcommand};

/// Take an AWS account to a working Karpenter on EKS, and prove each step before it is taken
#[derive(Debug, Parser)]
#[command(name = "karpctl", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done; 1 a step failed; 2 usage or spec invalid; 3 changes pending (with --exit-code); 4 refused; 130 interrupted; 143 ended by SIGTERM.

Examples:
  karpctl bootstrap --cluster-name demo --region us-west-2
  karpctl rehearse"
)]
pub struct Cli {
    #[command(flatten)]
    globals: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Bootstrap(bootstrap::BootstrapArgs),
    Adopt(adopt::AdoptArgs),
    /// Make what the account needs: the stack with roles, policies and queue, and the spot role
    #[command(after_help = EXAMPLES_IAM)]
    Iam(bootstrap::BootstrapArgs),
    /// Let nodes and controller in: node mapping, controller role, Pod Identity or IRSA
    #[command(after_help = EXAMPLES_IDENTITY)]
    Identity(bootstrap::BootstrapArgs),
    /// Install the charts
    #[command(after_help = EXAMPLES_INSTALL)]
    Install(bootstrap::BootstrapArgs),
    /// Make the node pool and its node class
    #[command(after_help = EXAMPLES_NODE_POOL)]
    NodePool(bootstrap::BootstrapArgs),
    Doctor(doctor::DoctorArgs),
    Render(render::RenderArgs),
    Status(status::StatusArgs),
    Verify(verify::VerifyArgs),
    Destroy(destroy::DestroyArgs),
    Migrate(migrate::MigrateArgs),
    Rehearse(rehearse::RehearseArgs),
    Token(token::TokenArgs),
    Versions(versions::VersionsArgs),
    Version(version::VersionArgs),
    Explain(explain::ExplainArgs),
    Generate(generate::GenerateArgs),
}

const EXAMPLES_IAM: &str = "Examples:
  karpctl iam --cluster-name demo --region us-west-2 --dry-run
  karpctl iam --cluster-name demo --region us-west-2 --yes";
const EXAMPLES_IDENTITY: &str = "Examples:
  karpctl identity --cluster-name demo --region us-west-2 --dry-run
  karpctl identity --cluster-name demo --region us-west-2 \\
      --identity irsa --yes";
const EXAMPLES_INSTALL: &str = "Examples:
  karpctl install --cluster-name demo --region us-west-2 --dry-run
  karpctl install --cluster-name demo --region us-west-2 \\
      --karpenter-version 1.14.1 --yes";
const EXAMPLES_NODE_POOL: &str = "Examples:
  karpctl node-pool --cluster-name demo --region us-west-2 --dry-run
  karpctl node-pool --cluster-name demo --region us-west-2 \\
      --ami-alias al2023@latest --yes";

impl Cli {
    /// Reads this process's command line. Help, and what is wrong with it, are said here; then it is the exit that is answered.
    pub fn read() -> std::result::Result<Self, Exit> {
        Self::try_parse().map_err(with_what_is_meant).map_err(|said| {
            let printer = Printer::new(ColorChoice::Auto, Verbosity::Normal, Env::read().letters, true);
            if !said.use_stderr() {
                return match said.print() {
                    Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
                        show_error(&printer, Format::Human, &Error::failed("cannot write the help to stdout").because(why.to_string()));
                        Exit::Failed
                    }
                    _ => Exit::Done,
                };
            }
            if wants_machine_format(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned())) {
                show_error(&printer, Format::Json, &usage_error(&said));
            } else if said.to_string().contains(acts) {
                // It quotes the command line, whose words can be another's.
                printer.error(&said.to_string());
            } else {
                let _ = said.print();
            }
            Exit::Usage
        })
    }

    /// The flags that every command takes.
    #[must_use]
    pub fn globals(&self) -> GlobalArgs {
        GlobalArgs { writes_file: matches!(self.command, Command::Adopt(_)), ..self.globals.clone() }
    }

    /// The format in which errors are written.
    #[must_use]
    pub fn error_format(&self) -> Format {
        match &self.command {
            Command::Bootstrap(a) | Command::Iam(a) | Command::Identity(a) | Command::Install(a) | Command::NodePool(a) => a.output(),
            Command::Adopt(a) => a.output(),
            Command::Status(a) => a.output(),
            Command::Verify(a) => a.output(),
            Command::Destroy(a) => a.output(),
            Command::Migrate(a) => a.output(),
            Command::Doctor(a) => a.output(),
            Command::Render(a) => a.output(),
            Command::Versions(a) => a.output(),
            Command::Rehearse(a) => a.output(),
            Command::Version(a) => a.output(),
            Command::Explain(a) => a.output(),
            Command::Init(a) => a.output(),
            _ => Format::Human,
        }
    }

    /// Whether somebody reads along for a while, and would take a word of a newer release at the end: not so of what is over at once, of what
    /// other programs run, and of what programs read.
    #[must_use]
    pub fn may_notice(&self) -> bool {
        let brief = matches!(
            self.command,
            Command::Render(_)
                | Command::Token(_)
                | Command::Versions(_)
                | Command::Version(_)
                | Command::Explain(_)
                | Command::Generate(_)
        );
        !brief && !self.error_format().is_machine()
    }

    /// Runs the command.
    pub async fn run(self, app: &App) -> Result<Exit> {
        match self.command {
            Command::Init(args) => Box::pin(init::run(app, args)).await,
            Command::Bootstrap(args) => Box::pin(bootstrap::run(app, args)).await,
            Command::Adopt(args) => Box::pin(adopt::run(app, args)).await,
            Command::Iam(args) => Box::pin(parts::run(app, parts::Part::Iam, args)).await,
            Command::Identity(args) => Box::pin(parts::run(app, parts::Part::Identity, args)).await,
            Command::Install(args) => Box::pin(parts::run(app, parts::Part::Install, args)).await,
            Command::NodePool(args) => Box::pin(parts::run(app, parts::Part::NodePool, args)).await,
            Command::Doctor(args) => Box::pin(doctor::run(app, args)).await,
            Command::Render(args) => render::run(app, args).await,
            Command::Status(args) => status::run(app, args).await,
            Command::Verify(args) => Box::pin(verify::run(app, args)).await,
            Command::Destroy(args) => Box::pin(destroy::run(app, args)).await,
            Command::Migrate(args) => Box::pin(migrate::run(app, args)).await,
            Command::Rehearse(args) => rehearse::run(app, &args),
            Command::Token(args) => token::run(app, args).await,
            Command::Versions(args) => versions::run(app, args).await,
            Command::Version(args) => version::run(app, &args),
            Command::Explain(args) => explain::run(app, &args),
            Command::Generate(args) => generate::run(app, &args, Self::command()),
        }
    }
}

/// Whether a command line that could not be read asks for JSON all the same.
fn wants_machine_format(words: impl Iterator<Item = String>) -> bool {
    let words: Vec<String> = words.collect();
    let machine = |format: &str| matches!(format, "json" | "ndjson");
    words.windows(2).any(|pair| matches!(pair[0].as_str(), "-o" | "--output") && machine(&pair[1]))
        || words
            .iter()
            .any(|w| w.strip_prefix("--output=").or_else(|| w.strip_prefix("-o")).is_some_and(|f| machine(f.trim_start_matches('='))))
}

/// What clap says of a command line, as an error: its first line without the word, tips as hints.
fn usage_error(said: &clap::Error) -> Error {
    let text = said.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("Usage:"));
    let first = lines.next().unwrap_or_default();
    let mut error = Error::usage(first.strip_prefix("error: ").unwrap_or(first));
    for line in lines {
        error = match (line.strip_prefix("tip: "), line.starts_with("For more information")) {
            (Some(tip), _) => error.hint(tip),
            (None, true) => error.hint("`karpctl help` shows every command and flag"),
            (None, false) => error.because(line),
        };
    }
    error
}
