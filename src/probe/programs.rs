//! The programs that karpctl runs, or that the commands which it prints name, as PATH finds them. None is run.

use crate::facts::{Probed, ProgramFacts};
use crate::knowledge::Tool;
use crate::ports::Workstation;
use std::path::PathBuf;

/// Those that the printed cures name, beside the tools that karpctl runs.
const NAMES: [&str; 4] = ["helm", "eksctl", "kubectl", "aws"];

/// Each of them; `named` are those whose file was given.
pub fn programs(station: &dyn Workstation, named: &[(Tool, PathBuf)]) -> Probed<Vec<ProgramFacts>> {
    let one = |name: &str| {
        let given = named.iter().find(|(tool, _)| tool.as_str() == name).map(|(_, file)| file.clone());
        let by_path = if given.is_none() { station.program(name) } else { None };
        let shadowed = by_path.as_ref().map(|first| station.others(name, first)).unwrap_or_default();
        let path: Option<PathBuf> = given.or(by_path);
        let foreign = path.as_ref().and_then(|file| station.foreign(file));
        ProgramFacts { name: name.to_owned(), path, foreign, shadowed }
    };
    Probed::Known(NAMES.into_iter().map(one).collect())
}
