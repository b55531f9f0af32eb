//! `karpctl explain guide`: where karpctl does otherwise than Karpenter's guide.

use crate::app::App;
use crate::error::{Error, Result};
use crate::knowledge::{Difference, DifferenceKind, Release, Standing};
use crate::wording;
use std::fmt::Write as _;

/// The text, for the release that a flag or the environment names, else for all.
pub(super) fn text(app: &App) -> Result<String> {
    let named = app.globals.karpenter_version.as_ref().or(app.env.karpenter_version.as_ref());
    let release: Option<Release> =
        named.map(|version| version.parse().map_err(|e| Error::usage(format!("--karpenter-version: {e}")))).transpose()?;
    let mut out = match &release {
        Some(release) => format!("Where karpctl differs from the guide of Karpenter {release}\n"),
        None => "Where karpctl differs from Karpenter's guides\n".to_owned(),
    };
    for kind in [DifferenceKind::Wrong, DifferenceKind::Choice] {
        let rows = Difference::all().iter().filter(|d| d.kind == kind && release.as_ref().is_none_or(|r| d.concerns(r)));
        for (index, row) in rows.enumerate() {
            if index == 0 {
                let title = match kind {
                    DifferenceKind::Wrong => "The guide is wrong",
                    DifferenceKind::Choice => "Both work",
                };
                let _ = write!(out, "\n{title}\n");
            }
            describe(&mut out, row, release.is_none());
        }
    }
    if let Some(Standing::Trap { reason, instead } | Standing::Caution { reason, instead }) = release.as_ref().map(Release::standing) {
        let _ = write!(out, "\nThe release itself\n  {reason}; take {instead} instead\n");
    }
    Ok(out.trim_end().to_owned())
}

fn describe(out: &mut String, row: &Difference, spans: bool) {
    let span = match row.span() {
        _ if !spans => String::new(),
        (first, Some(last)) => format!(", {}", wording::span(&first, &last)),
        (first, None) => format!(", {first} and newer"),
    };
    let _ = writeln!(out, "\n  {} [{}{span}]", row.documents.join(", "), row.id);
    let _ = writeln!(out, "    guide    {}", row.guide);
    let _ = writeln!(out, "    karpctl  {}", row.karpctl);
    if !row.at.is_empty() {
        let _ = writeln!(out, "    where    {}", row.at.join(", "));
    }
    let _ = writeln!(out, "    source   {}", row.source);
}
