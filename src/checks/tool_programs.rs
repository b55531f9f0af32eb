//! Whether the programs that karpctl runs, and those that its cures name, are there and made for this machine.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ProgramFacts, Topic};
use crate::finding::Area;

pub(super) struct ToolPrograms;

impl Check for ToolPrograms {
    fn id(&self) -> &'static str {
        "tool-programs"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "A helm for another processor says only `exec format error`, and a cure cannot be typed where its program is missing."
    }

    fn explain(&self) -> &'static str {
        "Looks for helm, eksctl, kubectl and aws on PATH and reads from each file's own header (ELF, Mach-O, PE) for which system and \
         processor it is made; none is run.\n\nWhat people see of one that is made for another: `exec format error`, `cannot execute binary \
         file`, `Bad CPU type in executable`. A program that an emulator takes (qemu through binfmt_misc, Rosetta) counts as one of this \
         machine. karpctl itself runs helm, and eksctl where it makes a cluster: whether those are there is for helm-version and \
         eksctl-version to say. kubectl and aws are needed by nothing but the commands that doctor prints."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Programs]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let Some(programs) = read("programs", &situation.facts.programs)? else {
            return Err(Judgement::skip("programs", "were not looked for"));
        };
        Ok(programs.iter().map(judge).collect())
    }
}

fn judge(program: &ProgramFacts) -> Judgement {
    let name = &program.name;
    match (&program.path, &program.foreign) {
        (Some(path), Some(why)) => {
            let file = path.display().to_string();
            let judgement = Judgement::fail(name, format!("{file} does not run here: {why}")).at(file.clone(), None);
            let judgement = if program.shadowed.is_empty() {
                judgement
            } else {
                let aside = format!("{file}.other-machine");
                judgement.run("take it out of the way of the one behind it", ["mv".to_owned(), file.clone(), aside])
            };
            judgement
                .run("see for what it is made", ["file".to_owned(), file])
                .fix(format!("install the {name} for this machine, or take this file off PATH"))
        }
        (Some(path), None) => Judgement::pass(name, format!("is {}", path.display())),
        (None, _) if matches!(name.as_str(), "helm" | "eksctl") => {
            Judgement::skip(name, format!("is not on PATH; where karpctl needs it, {name}-version says so"))
        }
        // The image of karpctl has neither.
        (None, _) => {
            Judgement::skip(name, format!("is not on PATH; only commands that doctor prints call it: install {name} to run those"))
        }
    }
}
