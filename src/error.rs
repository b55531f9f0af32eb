//! What can go wrong, as the person who reads it needs it: what, where, why, and what helps.

use crate::characters::written_out;
use serde::Serialize;

/// The process exit codes. They are a contract (see `README.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 1: a step failed, or a finding reached `--fail-on`.
    Failed,
    /// 2: the command line or the spec is invalid.
    Usage,
    /// 3: changes are pending (only with `--exit-code`).
    Pending,
    /// 4: refused: a foreign resource, or versions that do not fit.
    Refused,
    /// 130: interrupted by SIGINT.
    Interrupted,
    /// 143: ended by SIGTERM.
    Terminated,
}

impl Exit {
    /// The number the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Pending => 3,
            Self::Refused => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// What kind of failure it is: the exit code follows from it, and pipelines can match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The command line, the environment or the spec file is invalid.
    Usage,
    /// Something exists that is not ours, or versions do not fit together: it was left as it is.
    Refused,
    /// No AWS credentials, or they are expired or invalid.
    Credentials,
    /// AWS or Kubernetes says that the caller may not do this.
    Denied,
    /// AWS or Kubernetes could not be reached, or went on answering with throttling or server errors.
    Unreachable,
    /// The thing asked for is not there.
    NotFound,
    /// It exists already, or somebody else changed it in between.
    Conflict,
    /// A tool (helm, eksctl, kubectl) is missing, too old, or failed.
    Tool,
    /// Something did not happen in the time given.
    Timeout,
    /// The person interrupted it.
    Interrupted,
    /// Any other answer that a step cannot go on from.
    Failed,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Usage,
        Self::Refused,
        Self::Credentials,
        Self::Denied,
        Self::Unreachable,
        Self::NotFound,
        Self::Conflict,
        Self::Tool,
        Self::Timeout,
        Self::Interrupted,
        Self::Failed,
    ];
}

/// One failure: what karpctl was doing, why it did not work, and what helps. Every hint is a sentence, most with a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Error {
    /// The kind, for exit codes and pipelines.
    pub kind: ErrorKind,
    /// What could not be done, naming the thing: "cannot create the stack Karpenter-demo".
    pub message: String,
    /// Why, outermost first. Foreign texts are shortened and cleaned before they come here.
    pub causes: Vec<String>,
    /// What helps.
    pub hints: Vec<String>,
    /// What only whoever asks for more (`-v`) wants to read: the words of a library.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// The result of everything in karpctl that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of this kind with this message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new(), details: Vec::new() }
    }

    /// An invalid command line, environment or spec.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A refusal: what it is about was left as it is.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// Any other failure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// Adds a reason below those it has. Long foreign text is cut (helm can print 20 kB), and control characters are written out.
    #[must_use]
    pub fn because(mut self, cause: impl AsRef<str>) -> Self {
        let cause = clean(cause.as_ref());
        if !cause.is_empty() {
            self.causes.push(cause);
        }
        self
    }

    /// Adds what helps.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what is shown with `-v` only.
    #[must_use]
    pub fn detail(mut self, detail: impl AsRef<str>) -> Self {
        self.details.push(clean(detail.as_ref()));
        self
    }

    /// The same failure seen from further out: the message becomes the first cause.
    #[must_use]
    pub fn within(self, message: impl Into<String>) -> Self {
        let mut causes = vec![self.message];
        causes.extend(self.causes);
        Self { kind: self.kind, message: message.into(), causes, hints: self.hints, details: self.details }
    }

    /// The exit code that this failure ends the process with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self.kind {
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Refused => Exit::Refused,
            ErrorKind::Interrupted => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|c| write!(f, ": {c}"))
    }
}

impl std::error::Error for Error {}

/// What was probably meant by a name that is not known, as a hint: those that begin so, else the nearest, where it is near enough to be a
/// slip of the hand. Each once, and no more of them than are read. `None`: nothing is near.
#[must_use]
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let given = given.to_lowercase();
    let known: Vec<(String, &str)> = known.into_iter().map(|name| (name.to_lowercase(), name)).collect();
    let mut begin: Vec<String> = Vec::new();
    for (_, name) in known.iter().filter(|(lower, _)| given.len() >= BEGINNING && lower.starts_with(&given)) {
        let quoted = format!("`{name}`");
        if !begin.contains(&quoted) {
            begin.push(quoted);
        }
    }
    match begin.as_slice() {
        [] => {}
        [one] => return Some(format!("did you mean {one}?")),
        [first @ .., last] if first.len() < SUGGESTED => return Some(format!("did you mean {} or {last}?", first.join(", "))),
        all => {
            let (first, more) = all.split_at(SUGGESTED);
            return Some(format!("did you mean {}, or one of {} more that begin so?", first.join(", "), more.len()));
        }
    }
    // One slip for each four letters.
    let most = (given.chars().count() / 4).max(1);
    let near = known.iter().map(|(lower, name)| (strsim::damerau_levenshtein(lower, &given), name)).filter(|(slips, _)| *slips <= most);
    near.min().map(|(_, name)| format!("did you mean `{name}`?"))
}

/// The shortest beginning by which names are found.
const BEGINNING: usize = 3;
/// The most names that are suggested.
const SUGGESTED: usize = 6;

/// The most characters of foreign text (a tool's output, a service's message) that go into an error.
const FOREIGN_TEXT: usize = 2_000;

/// Foreign text made safe to show: what a terminal would obey is written out, ends are trimmed, the length is bounded.
#[must_use]
pub fn clean(text: &str) -> String {
    let shown = written_out(text.trim());
    match shown.char_indices().nth(FOREIGN_TEXT) {
        Some((end, _)) => format!("{} … (cut)", &shown[..end]),
        None => shown.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, did_you_mean};

    /// The schema is made of the enum itself, and so has each variant.
    #[test]
    fn all_kinds_are_in_the_list_of_all() {
        let schema = serde_json::to_value(schemars::schema_for!(ErrorKind)).unwrap();
        let variants: Vec<_> = schema["oneOf"].as_array().unwrap().iter().map(|variant| variant["const"].clone()).collect();
        let all: Vec<_> = ErrorKind::ALL.iter().map(|kind| serde_json::to_value(kind).unwrap()).collect();
        assert_eq!(all, variants);
    }

    #[test]
    fn only_what_is_near_is_taken_for_what_was_meant() {
        let known = ["exec-answer", "exec-command", "crds", "chart", "tool", "node-mapping", "spot-role"];
        let meant = |given: &str| did_you_mean(given, known);
        assert_eq!(meant("exec").as_deref(), Some("did you mean `exec-answer` or `exec-command`?"));
        assert_eq!(meant("Node").as_deref(), Some("did you mean `node-mapping`?"));
        assert_eq!(meant("node-maping").as_deref(), Some("did you mean `node-mapping`?"));
        assert_eq!(meant("spotrole").as_deref(), Some("did you mean `spot-role`?"));
        assert_eq!(did_you_mean("iam:Pass", ["iam:PassRole", "ec2:X", "iam:PassRole"]).as_deref(), Some("did you mean `iam:PassRole`?"));
        let many = ["ec2:A", "ec2:B", "ec2:C", "ec2:D", "ec2:E", "ec2:F", "ec2:A", "ec2:G", "ec2:H"];
        let (six, eight) = (did_you_mean("ec2", many[..7].iter().copied()).unwrap(), did_you_mean("ec2", many).unwrap());
        assert!(six.starts_with("did you mean `ec2:A`, ") && six.ends_with("`ec2:E` or `ec2:F`?"), "{six}");
        assert!(eight.starts_with("did you mean `ec2:A`, ") && eight.ends_with("`ec2:F`, or one of 2 more that begin so?"), "{eight}");
        for far in ["foo", "checks", "", "c", "to", "something else"] {
            assert_eq!(meant(far), None, "{far}");
        }
    }
}
