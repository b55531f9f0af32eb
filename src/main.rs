//! Parse, run, say how it ended.

use karpctl::app::App;
use karpctl::cli::Cli;
use karpctl::commands::release_notice::ReleaseNotice;
use karpctl::error::Exit;
use karpctl::report::show_error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(exit) => return ExitCode::from(exit.code()),
    };
    let format = cli.error_format();
    let app = App::new(cli.globals());
    let notice = if cli.may_notice() { ReleaseNotice::begin(&app) } else { None };
    let ended = app.block_on(cli.run(&app)).and_then(|exit| app.printer.lost().map_or(Ok(exit), Err));
    let exit = ended.unwrap_or_else(|error| {
        show_error(&app.printer, format, &error);
        if error.exit() == Exit::Interrupted { app.interrupted() } else { error.exit() }
    });
    if let Some(notice) = notice {
        notice.say(&app.printer);
    }
    ExitCode::from(exit.code())
}
