//! `karpctl doctor --fix` and `--undo`: the cures that change only what a finding names, shown before they are made.

use super::question::line;
use crate::adapters::kubeconfig_file::{changed_at, close, read, replace, undo};
use crate::app::App;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{DoctorReport, Edit, Verdict};
use crate::knowledge::ExecApiVersion;
use crate::knowledge::exec::{full, version_of};
use crate::kubeconfig::{Edited, Kubeconfig, Merging, NotAlone, Source, load, named, set_exec_api_version, set_interactive_mode};
use crate::probe::client::places;
use crate::secret::masked_lines;
use crate::shell::{command as command_line, quoted};
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// A file as it is and as it would be.
pub(super) struct Mend {
    file: PathBuf,
    before: String,
    after: String,
    // Whose entries change.
    users: BTreeSet<String>,
}

/// What is to be changed in files, and which files are to be closed to others.
#[derive(Default)]
pub(super) struct Cures {
    mends: Vec<Mend>,
    open: Vec<PathBuf>,
    // Entries that cannot be changed alone, and what is left to a person then.
    not_alone: BTreeSet<String>,
    // What would change other contexts too and was not named: whose entry it is, and the command that names it.
    unnamed: BTreeMap<String, Vec<String>>,
}

/// Sets one value of a user's credential plugin in the text of a kubeconfig.
type Set = fn(&str, &str, &str) -> std::result::Result<Option<Edited>, NotAlone>;

/// The cures of what failed or warned: the safe ones, and of the checks that are named all.
pub(super) fn cures(report: &DoctorReport, named: &[String]) -> Result<Cures> {
    let mut mends: BTreeMap<PathBuf, Mend> = BTreeMap::new();
    let mut cures = Cures::default();
    let found = report.checks.iter().filter(|f| matches!(f.result, Verdict::Fail | Verdict::Warn));
    for (finding, fix, edit) in found.flat_map(|f| f.fixes.iter().filter_map(move |fix| Some((f, fix, fix.edit.as_ref()?)))) {
        if !fix.safe && !named.contains(&finding.id) {
            cures.unnamed.insert(finding.subject.clone(), fix.command.clone());
            continue;
        }
        // How an entry is set, and to what.
        let (set, file, user, value): (Set, _, _, _) = match edit {
            Edit::ExecApiVersion { file, user, api_version } => (set_exec_api_version, file, user, api_version),
            Edit::InteractiveMode { file, user, mode } => (set_interactive_mode, file, user, mode),
            Edit::Close { file } => {
                if !cures.open.contains(file) {
                    cures.open.push(file.clone());
                }
                continue;
            }
        };
        if !mends.contains_key(file) {
            let text = read(file)?;
            mends.insert(file.clone(), Mend { file: file.clone(), before: text.clone(), after: text, users: BTreeSet::new() });
        }
        let Some(mend) = mends.get_mut(file) else { continue };
        match set(&mend.after, user, value) {
            Ok(Some(edited)) => {
                mend.after = edited.text;
                mend.users.insert(user.clone());
            }
            // Several clients say the same of one entry: the first change mends it for all.
            Ok(None) => {}
            Err(NotAlone) => {
                cures.not_alone.insert(format!(
                    "users[name={user}] in {} cannot be changed without changing others: its text is shared (a YAML alias), or written in a way that karpctl leaves alone; write {value} \
                     there by hand",
                    file.display()
                ));
            }
        }
    }
    cures.mends = mends.into_values().filter(|mend| mend.before != mend.after).collect();
    Ok(cures)
}

impl Mend {
    /// What the file says with this text.
    fn whole(&self, text: &str) -> Option<Kubeconfig> {
        load(&[Source { file: self.file.clone(), text: text.to_owned() }], Merging::FirstEntry, &[]).ok()
    }

    /// Contexts that have a user in common change together.
    fn contexts_of_one_user(&self) -> Vec<String> {
        let Some(whole) = self.whole(&self.before) else { return Vec::new() };
        let with = |user: &String| {
            let contexts: Vec<&str> = whole.contexts.iter().filter(|(_, of)| of.user == *user).map(|(name, _)| name.as_str()).collect();
            (contexts.len() > 1)
                .then(|| format!("{user} is the user of {} contexts, which change together: {}", contexts.len(), contexts.join(", ")))
        };
        self.users.iter().filter_map(with).collect()
    }

    /// Says which other contexts of the file have a plugin of a version that newer clients do not take: only the chosen one was mended.
    fn say_others(&self, app: &App) {
        let Some(whole) = self.whole(&self.after) else { return };
        let stale = |user: &str| {
            named(&whole.users, user).and_then(|u| u.exec.as_ref()).is_some_and(|exec| version_of(&exec.api_version) == Some(STALE))
        };
        let contexts: Vec<&str> = whole.contexts.iter().filter(|(_, of)| stale(&of.user)).map(|(name, _)| name.as_str()).collect();
        let Some(first) = contexts.first() else { return };
        let count = match contexts.len() {
            1 => "1 more context".to_owned(),
            n => format!("{n} more contexts"),
        };
        let file = self.file.display().to_string();
        let command = ["karpctl", "doctor", "--fix", "--only", "exec-api-version", "--kubeconfig", &file, "--context", first];
        app.printer.status(&format!("{count} of {file} still say {}: {}; to mend one:", full(STALE), contexts.join(", ")));
        app.printer.copied(&format!("  {}", command_line(&command.map(str::to_owned))));
    }
}

/// What old clients wrote, and newer ones refuse.
const STALE: ExecApiVersion = ExecApiVersion::V1Alpha1;

impl Cures {
    /// Whether there is nothing that karpctl could do by itself.
    pub(super) fn is_empty(&self) -> bool {
        self.mends.is_empty() && self.open.is_empty()
    }

    /// Whether there is something that is done only where it is named.
    pub(super) fn waits_for_its_name(&self) -> bool {
        !self.unnamed.is_empty()
    }

    /// Says what cannot be done, and what is not done unless it is named.
    pub(super) fn show_left(&self, app: &App) {
        self.not_alone.iter().for_each(|line| app.printer.status(line));
        for (subject, command) in &self.unnamed {
            app.printer.status(&format!("{subject} is left as it is, because other contexts have the same user; to change all of them:"));
            app.printer.copied(&format!("  {}", command_line(command)));
        }
    }

    /// Shows what would be done.
    pub(super) fn show(&self, app: &App) {
        for mend in &self.mends {
            let shown = mend.file.display().to_string();
            let diff = TextDiff::from_lines(&mend.before, &mend.after);
            let text = diff.unified_diff().context_radius(2).header(&shown, &shown).to_string();
            app.printer.copied(&masked_lines(text.trim_end()));
            mend.contexts_of_one_user().iter().for_each(|line| app.printer.status(line));
        }
        for file in &self.open {
            app.printer.copied(&format!("chmod 600 {}", quoted(&file.display().to_string())));
        }
    }

    /// Makes them. What was changed is said, with the way back.
    pub(super) fn make(&self, app: &App) -> Result<()> {
        for mend in &self.mends {
            let backup = replace(&mend.file, &mend.before, &mend.after)?;
            app.printer.status(&format!(
                "changed {}; the backup is {}; `karpctl doctor --undo --kubeconfig {}` takes it back",
                mend.file.display(),
                backup.display(),
                quoted(&mend.file.display().to_string())
            ));
            mend.say_others(app);
        }
        for file in &self.open {
            close(file)?;
            app.printer.status(&format!("closed {}", file.display()));
        }
        Ok(())
    }

    /// Takes the changes of texts back.
    pub(super) fn take_back(&self) -> Result<()> {
        self.mends.iter().try_for_each(|mend| undo(&mend.file))
    }
}

/// Takes the last change of a kubeconfig back: of several files, that of the one that was changed last.
pub(super) fn take_back(app: &App, named: Option<&Path>) -> Result<()> {
    let files = places(&app.workstation(), named);
    let last = files.iter().filter_map(|file| Some((changed_at(file)?, file))).max_by_key(|(at, _)| *at).map(|(_, file)| file);
    let file = match (last, files.as_slice()) {
        (Some(last), _) => last,
        (None, [only]) if only.exists() => only,
        (None, [only]) => {
            return Err(Error::refused(format!("cannot take back a change of {}", only.display()))
                .because("there is no such kubeconfig")
                .hint("--kubeconfig PATH names the one that was changed"));
        }
        (None, several) => {
            let shown = several.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
            return Err(Error::refused(format!("cannot take back a change of {shown}"))
                .because("there is no backup: none of them was changed by karpctl, or each has been changed since"));
        }
    };
    undo(file)?;
    app.printer.answer(&format!("{} is as it was.", file.display()));
    Ok(())
}

/// Whether the person agrees.
pub(super) async fn agreed(app: &App, yes: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::usage("there is nobody to ask whether to change this").hint("add --yes to change it without asking"));
    }
    match line(app, "Change this? [y]es / [N]o: ").await {
        Some(line) => Ok(matches!(line.to_lowercase().as_str(), "y" | "yes")),
        None if app.cancel.is_cancelled() => Err(Error::new(ErrorKind::Interrupted, "interrupted; nothing was changed")),
        None => Ok(false),
    }
}
