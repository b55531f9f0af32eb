//! How an error reads.

use super::Format;
use super::printer::{BAD, Printer, Verbosity, styled};
use crate::error::{Error, ErrorKind};

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
    lines.extend(explained(error.kind).map(|kind| format!("hint: `karpctl explain {kind}` says what is meant by such an error")));
    lines.join("\n")
}

/// The kind of an error by the name under which it is explained, where that helps beyond what the error says.
const fn explained(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Credentials => Some("credentials"),
        ErrorKind::Denied => Some("denied"),
        ErrorKind::Unreachable => Some("unreachable"),
        ErrorKind::Conflict => Some("conflict"),
        ErrorKind::Tool => Some("tool"),
        ErrorKind::Timeout => Some("timeout"),
        ErrorKind::Usage | ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::Interrupted | ErrorKind::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_kind_is_the_one_by_which_it_is_explained() {
        for kind in ErrorKind::ALL {
            let name = serde_json::to_value(kind).unwrap();
            assert!(explained(kind).is_none_or(|explained| name == explained), "{name}");
        }
        let said = text(&Error::new(ErrorKind::Denied, "cannot").hint("ask for it"), Verbosity::Normal);
        assert!(
            said.ends_with("error\u{1b}[0m: cannot\nhint: ask for it\nhint: `karpctl explain denied` says what is meant by such an error"),
            "{said:?}"
        );
    }
}
