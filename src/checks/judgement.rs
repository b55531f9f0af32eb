//! What a check says of one thing, before it is a [`Finding`].

use super::{Check, Situation, whose};
use crate::facts::{HelmRelease, Probed};
use crate::finding::{Edit, Finding, Fix, Place, Verdict};
use crate::knowledge::{CHART, Release, image_tag};

/// What a check says of one thing.
#[derive(Debug, Clone)]
pub struct Judgement {
    result: Verdict,
    subject: String,
    message: String,
    place: Option<Place>,
    fixes: Vec<Fix>,
    heals: bool,
}

impl Judgement {
    fn new(result: Verdict, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { result, subject: plain(&subject.into()), message: plain(&message.into()), place: None, fixes: Vec::new(), heals: false }
    }

    /// It is right.
    pub(super) fn pass(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Verdict::Pass, subject, message)
    }

    /// It will work, and the person should know.
    pub(super) fn warn(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, subject, message)
    }

    /// It will not work.
    pub(super) fn fail(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, subject, message)
    }

    /// It could not be looked at, for this reason.
    pub(super) fn skip(subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Verdict::Skip, subject, reason)
    }

    /// Whether it says that something will not work.
    pub(super) fn is_failure(&self) -> bool {
        self.result == Verdict::Fail
    }

    /// Whether it says that something could not be looked at.
    pub(super) fn is_skip(&self) -> bool {
        self.result == Verdict::Skip
    }

    /// Whether it says that something is right.
    pub(super) fn is_pass(&self) -> bool {
        self.result == Verdict::Pass
    }

    /// The same as a warning: it goes wrong only where something else comes to it.
    pub(super) fn milder(self) -> Self {
        Self { result: Verdict::Warn, ..self }
    }

    /// What mends it, in words.
    pub(super) fn fix(self, title: impl Into<String>) -> Self {
        self.remedy(title, Vec::<String>::new(), false)
    }

    /// What mends it, by a command that changes more than the finding names, or cannot be undone.
    pub(super) fn run<W: Into<String>>(self, title: impl Into<String>, command: impl IntoIterator<Item = W>) -> Self {
        self.remedy(title, command, false)
    }

    /// As [`Self::run`], for a command that another program runs: with a flag of this run's it would not be seen to do what it does there.
    pub(super) fn run_verbatim<W: Into<String>>(self, title: impl Into<String>, command: impl IntoIterator<Item = W>) -> Self {
        let mut judgement = self.run(title, command);
        if let Some(fix) = judgement.fixes.last_mut() {
            fix.verbatim = true;
        }
        judgement
    }

    /// What karpctl can mend by itself, and the command by which it does; it can be undone. It is safe where only what the finding names changes,
    /// and no other context with it.
    pub(super) fn edit<W: Into<String>>(
        self,
        title: impl Into<String>,
        command: impl IntoIterator<Item = W>,
        edit: Edit,
        other_contexts: &[String],
    ) -> Self {
        let title = match other_contexts {
            [] => title.into(),
            others => format!("{}; it is the user of {} too, which change with it", title.into(), others.join(", ")),
        };
        let mut judgement = self.remedy(title, command, other_contexts.is_empty());
        if let Some(fix) = judgement.fixes.last_mut() {
            fix.edit = Some(edit);
        }
        judgement
    }

    /// It may come right by itself, which `doctor --wait` waits for.
    pub(super) fn heals(self) -> Self {
        Self { heals: true, ..self }
    }

    /// The place in a file that it is about.
    pub(super) fn at(mut self, file: impl Into<String>, line: Option<u32>) -> Self {
        self.place = Some(Place { file: file.into(), line });
        self
    }

    fn remedy<W: Into<String>>(mut self, title: impl Into<String>, command: impl IntoIterator<Item = W>, safe: bool) -> Self {
        self.fixes.push(Fix {
            title: title.into(),
            command: command.into_iter().map(Into::into).collect(),
            safe,
            edit: None,
            verbatim: false,
        });
        self
    }

    /// As a finding of this check.
    pub(super) fn of(self, check: &dyn Check) -> Finding {
        Finding {
            id: check.id().into(),
            area: check.area(),
            result: self.result,
            subject: self.subject,
            message: self.message,
            why: check.why().into(),
            place: self.place,
            accepted: None,
            fixes: self.fixes,
            heals: self.heals,
        }
    }
}

/// A text in one line, without what a terminal would obey: subjects and messages quote what others wrote.
fn plain(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

/// What was read: `None` where it is not there, the judgement that ends the look where it could not be read.
pub(super) fn read<'a, T>(subject: &str, probed: &'a Probed<T>) -> Result<Option<&'a T>, Judgement> {
    match probed {
        Probed::Known(value) => Ok(Some(value)),
        Probed::Absent => Ok(None),
        Probed::Unavailable(reason) => Err(Judgement::skip(subject, format!("could not be read: {reason}"))),
        Probed::NotAsked => Err(Judgement::skip(subject, "was not looked at")),
    }
}

/// Why nothing is said of values where a chart of somebody's own brings Karpenter's.
pub(super) const VALUES_WITHIN: &str = "another chart brings Karpenter there: its values are not known";

/// Karpenter's live helm release, with the subject of what is said of it.
pub(super) fn live_release<'a>(situation: &Situation<'a>) -> Result<(String, &'a HelmRelease), Judgement> {
    let subject = format!("helm release {}/karpenter", situation.spec()?.namespace);
    if let Some(live) = read(&subject, &situation.facts.chart_release)?.filter(|r| installed(r)) {
        return if of_own_chart(live) { Ok((subject, live)) } else { Err(Judgement::skip(subject, VALUES_WITHIN)) };
    }
    read(&subject, &situation.facts.neighbours)?;
    whose::has_no_record(situation.spec()?, situation.facts, &subject)?;
    Err(Judgement::pass(subject, "it is not installed"))
}

/// Whether a release is there at all: helm may keep the history of one that is uninstalled.
pub(super) fn installed(release: &HelmRelease) -> bool {
    release.status != "uninstalled"
}

/// Whether a release is of Karpenter's own chart: one that is called so may be of another, of which Karpenter is a part.
pub(super) fn of_own_chart(release: &HelmRelease) -> bool {
    release.chart == CHART
}

/// The Karpenter that is installed: the release of its chart says which, or else the tag of its image. `None`: none is. One in another
/// namespace ends the look.
pub(super) fn installed_release(situation: &Situation<'_>, subject: &str) -> Result<Option<Release>, Judgement> {
    let (spec, facts) = (situation.spec()?, situation.facts);
    let live = read(subject, &facts.chart_release)?.filter(|r| installed(r));
    let version = if let Some(live) = live.filter(|r| of_own_chart(r)) {
        live.chart_version.as_str()
    } else {
        let neighbours = read(subject, &facts.neighbours)?;
        if live.is_none() {
            whose::is_elsewhere(spec, facts, subject)?;
        }
        match neighbours.and_then(|n| whose::in_wanted_namespace(spec, n)) {
            Some(workload) => {
                let image = workload.image.as_deref().unwrap_or_default();
                image_tag(image).unwrap_or(image)
            }
            None if live.is_some() => return Err(Judgement::skip(subject, VALUES_WITHIN)),
            None => return Ok(None),
        }
    };
    let unknown = format!("karpctl does not know the release {version:?} that is installed");
    version.parse().map(Some).map_err(|_| Judgement::skip(subject, unknown))
}
