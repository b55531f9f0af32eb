//! `karpctl doctor`: what will break the bootstrap, before anything is installed.

use super::answer::{Pretty, json};
use super::args::{VariantArgs, parse_duration};
use super::look::look;
use super::mend::{agreed, cures, take_back};
use super::named::{files_are_there, kubeconfig_is_sound};
use super::offered;
use crate::accepted::{Accepted, AcceptedFindings};
use crate::adapters::new_file::{NewFile, unwritable};
use crate::adapters::text_file;
use crate::app::App;
use crate::checks::{self, Check};
use crate::doctor::{FACTS_SCHEMA, SavedFacts, Wanted, select};
use crate::error::{Error, Exit, Result};
use crate::finding::{Area, DoctorReport, Finding, Verdict};
use crate::knowledge::exec::refuses_answer;
use crate::report::{DoctorFormat, Format, cure, doctor_text, findings_text};
use crate::secret::mask_tree;
use crate::spec::file::DEFAULT_FILE;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Find what will break the bootstrap, before anything is installed
///
/// Every check says pass, warn, fail or skip; one that could not run is never a pass. Nothing is changed without --fix.
///
/// --fix changes only the kubeconfig: the entry of a user that a finding names, or who may read the file. It runs no command, and changes nothing
/// in AWS or in the cluster. Where other contexts have the same user, the entry is changed only if --only names the check.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are bools by nature")]
#[command(after_help = "Examples:
  karpctl doctor --area client --offline
  karpctl doctor --fix --only exec-api-version
  karpctl doctor --cluster-name demo --region us-west-2 -o junit > doctor.xml
  karpctl doctor --cluster-name demo --region us-west-2 \\
      --wait 10m --fail-on warning")]
pub struct DoctorArgs {
    /// Only the checks of these areas: client, account, cluster, release
    #[arg(long, value_delimiter = ',', value_name = "AREA", value_parser = area_parser())]
    area: Vec<Area>,
    /// Only these checks
    #[arg(long, value_delimiter = ',', value_name = "ID", value_parser = offered::check_ids(), hide_possible_values = true)]
    only: Vec<String>,
    /// All but these checks
    #[arg(long, value_delimiter = ',', value_name = "ID", value_parser = offered::check_ids(), hide_possible_values = true)]
    skip: Vec<String>,
    /// Ask neither AWS nor the cluster; the kubeconfig's credential plugin is still run
    #[arg(long)]
    pub(super) offline: bool,
    /// Make the cures that change only what a finding names: the difference is shown, a backup is kept
    #[arg(long, conflicts_with = "facts")]
    fix: bool,
    /// With --fix: do not ask
    #[arg(long, short, requires = "fix")]
    yes: bool,
    /// Take the last change of the kubeconfig back
    #[arg(long, conflicts_with = "fix")]
    undo: bool,
    /// How long a credential plugin may take, such as 60s or 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub(super) plugin_timeout: Duration,
    /// From which result on the exit code is 1
    #[arg(long, value_enum, default_value_t, value_name = "RESULT")]
    fail_on: FailOn,
    /// A file of findings that are accepted for now, each with a reason and a last day; karpctl-accepted.yaml where it is there
    #[arg(long, value_name = "FILE")]
    accepted: Option<PathBuf>,
    /// Look again until nothing is wrong that heals by itself (a stack that is being made, pods that start), at most this long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with_all = ["facts", "fix"])]
    wait: Option<Duration>,
    /// Judge what an earlier doctor saw (see --save-facts) and look at nothing
    #[arg(long, value_name = "FILE", conflicts_with = "save_facts")]
    facts: Option<PathBuf>,
    /// Write what was seen to this file, without secrets
    #[arg(long, value_name = "FILE")]
    save_facts: Option<PathBuf>,
    /// How the report is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: DoctorFormat,
    #[command(flatten)]
    pub(super) variant: VariantArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum FailOn {
    /// A check that fails
    #[default]
    Error,
    /// A check that warns or fails
    Warning,
}

fn area_parser() -> impl TypedValueParser<Value = Area> {
    const AREAS: [Area; 4] = [Area::Client, Area::Account, Area::Cluster, Area::Release];
    PossibleValuesParser::new(AREAS.map(Area::as_str)).map(|name| AREAS.into_iter().find(|a| a.as_str() == name).unwrap_or(Area::Client))
}

impl DoctorArgs {
    /// The format of errors.
    pub(crate) fn output(&self) -> Format {
        if self.output == DoctorFormat::Json { Format::Json } else { Format::Human }
    }
}

/// Runs the command.
pub async fn run(app: &App, args: DoctorArgs) -> Result<Exit> {
    if args.undo {
        return take_back(app, app.globals.kubeconfig.as_deref()).map(|()| Exit::Done);
    }
    let wanted = Wanted { areas: args.area.clone(), only: args.only.clone(), skip: args.skip.clone() };
    let checks = select(checks::all(), &wanted)?;
    let accepted = accepted(&args)?;
    let mut seen = match &args.facts {
        Some(file) => load(file)?,
        None => look_until_healed(app, &args, &checks, accepted.as_ref()).await?,
    };
    if let Some(file) = &args.save_facts {
        save(file, &seen)?;
    }
    if args.fix {
        let (found, _) = marked(&seen, &checks, accepted.as_ref());
        if let Some(mended) = fix(app, &args, &checks, &DoctorReport::new(found)).await? {
            seen = mended;
        }
    }
    let report = DoctorReport::new(judged(app, &seen, &checks, accepted.as_ref()));
    let text = match args.output {
        DoctorFormat::Human if app.globals.quiet => {
            findings_text(report.checks.iter().filter(|f| args.fail_on.counts(f)).cloned().collect())
        }
        format => doctor_text(&report, format, app.globals.file.as_deref().unwrap_or_else(|| Path::new(DEFAULT_FILE)))?,
    };
    match args.output {
        _ if text.is_empty() => {}
        DoctorFormat::Human => app.printer.answer(&text),
        _ => app.printer.document(&text),
    }
    Ok(if report.checks.iter().any(|f| args.fail_on.counts(f)) { Exit::Failed } else { Exit::Done })
}

impl FailOn {
    /// Whether this finding makes the exit code 1.
    fn counts(self, finding: &Finding) -> bool {
        finding.counts_as(Verdict::Fail) || (self == Self::Warning && finding.counts_as(Verdict::Warn))
    }
}

/// The file of accepted findings that is looked for where none is named.
const ACCEPTED: &str = "karpctl-accepted.yaml";

fn accepted(args: &DoctorArgs) -> Result<Option<AcceptedFindings>> {
    let (file, named) = args.accepted.as_ref().map_or((Path::new(ACCEPTED), false), |file| (file.as_path(), true));
    let shown = file.display().to_string();
    match text_file::text(file) {
        Ok(text) => {
            let checks = checks::all();
            AcceptedFindings::read(&shown, &text, &checks.iter().map(|c| c.id()).collect::<Vec<_>>()).map(Some)
        }
        Err(e) if !named && e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::usage(format!("cannot read the accepted findings {shown}"))
            .because(e.to_string())
            .hint("`karpctl generate schema accepted` prints what such a file holds")),
    }
}

/// What the checks say, with what is accepted marked, and the entries that concern nothing of it.
fn marked<'a>(seen: &SavedFacts, checks: &[Box<dyn Check>], accepted: Option<&'a AcceptedFindings>) -> (Vec<Finding>, Vec<&'a Accepted>) {
    let mut findings = seen.judge(checks);
    let unused = accepted.map_or_else(Vec::new, |file| file.mark(&mut findings, seen.day));
    (findings, unused)
}

/// What the checks say, with what is accepted marked; of an entry that concerns nothing it is said that it can go.
fn judged(app: &App, seen: &SavedFacts, checks: &[Box<dyn Check>], accepted: Option<&AcceptedFindings>) -> Vec<Finding> {
    let (findings, unused) = marked(seen, checks, accepted);
    for entry in unused {
        if checks.iter().any(|c| c.id() == entry.check) {
            app.printer.status(&format!("note: nothing is found any more that is accepted as `{}` ({})", entry.check, entry.reason));
        }
    }
    findings
}

/// How long is waited between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks once, or with `--wait` until nothing is wrong that may heal by itself.
async fn look_until_healed(
    app: &App,
    args: &DoctorArgs,
    checks: &[Box<dyn Check>],
    accepted: Option<&AcceptedFindings>,
) -> Result<SavedFacts> {
    files_are_there(app, checks)?;
    let deadline = args.wait.map(|wait| tokio::time::Instant::now() + wait);
    loop {
        let seen = app.read(Box::pin(look(app, args, checks))).await?;
        kubeconfig_is_sound(app, checks, &seen.facts)?;
        let Some(deadline) = deadline else { return Ok(seen) };
        let (findings, _) = marked(&seen, checks, accepted);
        // Also what is only a warning: it is told because it is not over yet.
        let waited_for: Vec<&Finding> = findings.iter().filter(|f| f.heals && FailOn::Warning.counts(f)).collect();
        let Some(first) = waited_for.first() else { return Ok(seen) };
        if tokio::time::Instant::now() + PAUSE > deadline {
            app.printer.status("the time of --wait is over");
            return Ok(seen);
        }
        app.printer.status(&format!("waiting for {} to heal, first {} [{}]", waited_for.len(), first.subject, first.id));
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = app.cancel.cancelled() => return Ok(seen),
        }
    }
}

/// The check that says whether a client takes what the plugin answers.
const ANSWER: &str = "exec-answer";

/// Makes the safe cures and looks again; `None`: nothing was changed. A cure after which the plugin's answer is refused is no cure, and is taken back.
async fn fix(app: &App, args: &DoctorArgs, checks: &[Box<dyn Check>], report: &DoctorReport) -> Result<Option<SavedFacts>> {
    let cures = cures(report, &args.only)?;
    cures.show_left(app);
    if cures.is_empty() && cures.waits_for_its_name() {
        return Ok(None);
    }
    if cures.is_empty() {
        let any = |verdicts: [Verdict; 2]| report.checks.iter().any(|f| verdicts.contains(&f.result));
        app.printer.status(if any([Verdict::Fail, Verdict::Warn]) {
            "There is nothing that karpctl could mend by itself; the report says what helps."
        } else if any([Verdict::Pass; 2]) {
            "There is nothing to mend."
        } else {
            "Nothing was mended, because nothing could be looked at; the report says why."
        });
        return Ok(None);
    }
    cures.show(app);
    if !agreed(app, args.yes).await? {
        app.printer.status("Nothing was changed.");
        return Ok(None);
    }
    cures.make(app)?;
    // Whether it is a cure is for the plugin to say, whichever checks were asked for.
    let answer = select(checks::all(), &Wanted { only: vec![ANSWER.into()], ..Wanted::default() })?;
    let all = DoctorReport::new(Box::pin(look(app, args, &answer)).await?.judge(&answer));
    let refused = |f: &&Finding| f.result == Verdict::Fail && f.id == ANSWER && refuses_answer(&f.message);
    if let Some(refused) = all.checks.iter().find(refused) {
        cures.take_back()?;
        let error =
            Error::refused("the change was taken back: the plugin's answer would still be refused").because(refused.message.clone());
        return Err(refused.fixes.iter().fold(error, |e, fix| e.hint(cure(fix))));
    }
    Box::pin(look(app, args, checks)).await.map(Some)
}

fn load(file: &Path) -> Result<SavedFacts> {
    let wrong = |why: String| {
        let again = "`karpctl doctor --save-facts FILE` of this release writes such a file";
        Error::usage(format!("cannot judge by {}: these are no facts that this karpctl saved", file.display())).because(why).hint(again)
    };
    let text =
        text_file::text(file).map_err(|e| Error::usage(format!("cannot read the facts {}", file.display())).because(e.to_string()))?;
    let tree: Value =
        serde_json::from_str(&text).map_err(|e| wrong(format!("JSON of the schema {FACTS_SCHEMA} was expected; it is no JSON: {e}")))?;
    match tree.get("schema").and_then(Value::as_str) {
        Some(FACTS_SCHEMA) => {}
        Some(other) => return Err(wrong(format!("the schema {FACTS_SCHEMA} was expected; it has `{other}`"))),
        None => return Err(wrong(format!("the schema {FACTS_SCHEMA} was expected; it names none"))),
    }
    // Its fields may be those of an earlier release, by the same schema.
    serde_json::from_str(&text).map_err(|e| wrong(format!("its schema is {FACTS_SCHEMA}, and its fields are another release's: {e}")))
}

fn save(file: &Path, seen: &SavedFacts) -> Result<()> {
    let doing = || Error::failed(format!("cannot write the facts to {}", file.display()));
    let mut tree = serde_json::to_value(seen).map_err(|e| doing().because(e.to_string()))?;
    mask_tree(&mut tree);
    let text = json(&tree, Pretty::Yes)?;
    NewFile::private(file, &(text + "\n"))
        .and_then(NewFile::kept)
        .and_then(|new| new.replace(file))
        .map_err(|e| unwritable(doing(), file, &e))
}
