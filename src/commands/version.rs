//! `karpctl version`: which karpctl this is, and the newest Karpenter that it knows.

use super::answer::json;
use crate::app::App;
use crate::error::{Exit, Result};
use crate::knowledge::Release;
use crate::report::Format;
use clap::Args;

/// Show which karpctl this is, and the newest Karpenter that it knows
///
/// It asks nobody. Other commands ask once a day, at a terminal, whether there is a newer karpctl, but only where `KARPCTL_RELEASES_URL` names an address
/// (one may be built in by whoever packed it; none is otherwise). `KARPCTL_NO_RELEASE_NOTICE=1` turns that off.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl version
  karpctl version -o json")]
pub struct VersionArgs {
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

impl VersionArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.output
    }
}

/// Runs the command.
pub fn run(app: &App, args: &VersionArgs) -> Result<Exit> {
    let (version, newest) = (env!("CARGO_PKG_VERSION"), Release::newest());
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if args.output == Format::Human {
        app.printer.answer(&format!("karpctl {version} ({os} {arch}), knows Karpenter up to {newest}"));
        return Ok(Exit::Done);
    }
    let answer = serde_json::json!({
        "schema": "karpctl/version/v1",
        "version": version,
        "os": os,
        "arch": arch,
        "karpenter": {"newest": newest},
    });
    app.printer.document(&json(&answer, args.output.into())?);
    Ok(Exit::Done)
}
