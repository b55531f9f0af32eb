//! Parse, run, say how it ended.

use karpctl::app::App;
use karpctl::cli::Cli;
use karpctl::report::show_error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(exit) => return ExitCode::from(exit.code()),
    };
    let format = cli.error_format();
    let app = App::new(cli.globals());
    let exit = app.block_on(cli.run(&app)).unwrap_or_else(|error| {
        show_error(&app.printer, format, &error);
        error.exit()
    });
    ExitCode::from(exit.code())
}
