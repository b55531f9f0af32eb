//! How an error reads.

use super::Format;
use super::printer::{BAD, Printer, Verbosity, styled};
use crate::error::Error;

/// The schema id of an error in a machine format.
const SCHEMA: &str = "karpctl/error/v1";

/// Says an error on stderr: sentences for a person, JSON for a program.
pub fn show_error(printer: &Printer, format: Format, error: &Error) {
    if format.is_machine() {
        let mut value = serde_json::json!({ "schema": SCHEMA, "exit": error.exit().code() });
        if let (Some(object), Ok(serde_json::Value::Object(fields))) = (value.as_object_mut(), serde_json::to_value(error)) {
            object.extend(fields);
        }
        printer.error_document(&value.to_string());
    } else {
        printer.error(&text(error, printer.verbosity()));
    }
}

fn text(error: &Error, verbosity: Verbosity) -> String {
    let mut lines = vec![format!("{}: {}", styled(BAD, "error"), error.message)];
    for cause in &error.causes {
        lines.push(format!("  caused by: {}", cause.replace('\n', "\n             ")));
    }
    for detail in error.details.iter().filter(|_| verbosity == Verbosity::Verbose) {
        lines.push(format!("  in detail: {}", detail.replace('\n', "\n             ")));
    }
    for hint in &error.hints {
        lines.push(format!("hint: {hint}"));
    }
    lines.join("\n")
}
