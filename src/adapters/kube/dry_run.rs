//! Dry runs: what an answer means.

use crate::error::{ErrorKind, Result};
use crate::ports::Trial;
use serde_json::Value;

/// By whom a dry run applies: another than karpctl, which would give up the fields that it does not name.
pub(super) const QUERY: &str = "dryRun=All&fieldManager=karpctl-doctor&force=true";

/// What became of it. Who is not let in at all (401) was told nothing.
pub(super) fn answered(answer: Result<Value>) -> Result<Trial> {
    let error = match answer {
        Ok(_) => return Ok(Trial::Taken),
        Err(e) if e.kind == ErrorKind::NotFound => return Ok(Trial::NoPlace),
        Err(e) => e,
    };
    let said = error.causes.iter().find_map(|cause| cause.split_once(" answered 4")?.1.split_once(": "));
    match said {
        Some((code, why)) if code != "01" => Ok(Trial::Refused(why.to_owned())),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::answered;
    use crate::error::{Error, ErrorKind};
    use crate::ports::Trial;
    use serde_json::json;

    #[test]
    fn a_refusal_is_an_answer_and_silence_is_none() {
        let error =
            |kind, why: &str| answered(Err(Error::new(kind, "cannot try it").because(format!("the API server https://e answered {why}"))));
        assert_eq!(answered(Ok(json!({}))), Ok(Trial::Taken));
        assert_eq!(error(ErrorKind::NotFound, "404: not found"), Ok(Trial::NoPlace));
        assert_eq!(error(ErrorKind::Denied, "403: pods: no: never"), Ok(Trial::Refused("pods: no: never".into())));
        assert_eq!(error(ErrorKind::Failed, "422: it is invalid"), Ok(Trial::Refused("it is invalid".into())));
        assert!(error(ErrorKind::Denied, "401: Unauthorized").is_err());
        assert!(error(ErrorKind::Unreachable, "500: failed calling webhook").is_err());
    }
}
