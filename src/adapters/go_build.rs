//! What a Go program says of its own making, read from its file without running it: Go's build information, in the form that
//! Go 1.18 and later write (inline) and in the one before (by pointers). Source: debug/buildinfo of Go's standard library.

use object::read::ReadCache;
use object::{Object, ObjectSection, ReadRef};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The build information of a Go program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct GoBuild {
    /// The Go release it was built with: `go1.24.3`.
    pub(super) go: String,
    /// The main module and its version; `(devel)` where it was built from a checkout.
    pub(super) main: Option<(String, String)>,
    /// The modules it was built with, by path; where one was replaced, the version of the replacement.
    pub(super) modules: BTreeMap<String, String>,
    /// Settings of the build: `-ldflags`, `vcs.revision`, `GOARCH`, …
    pub(super) settings: BTreeMap<String, String>,
}

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Where the strings begin, in the inline form.
const HEADER: usize = 32;
/// The flag of the inline form.
const INLINE: u8 = 2;
/// The flag of big-endian pointers.
const BIG_ENDIAN: u8 = 1;
/// What surrounds the list of modules, on either side.
const SENTINEL: usize = 16;
/// The sections in which it stands: ELF, Mach-O, PE.
const SECTIONS: [&str; 3] = [".go.buildinfo", "__go_buildinfo", ".data"];

/// Reads it. `None`: the file is no program, or not one of Go.
pub(super) fn read(path: &Path) -> std::io::Result<Option<GoBuild>> {
    let cache = ReadCache::new(BufReader::new(File::open(path)?));
    Ok(object::File::parse(&cache).ok().and_then(|file| of_program(&file)))
}

fn of_program<'a, R: ReadRef<'a>>(file: &object::File<'a, R>) -> Option<GoBuild> {
    let data = SECTIONS.iter().find_map(|name| file.section_by_name(name)?.data().ok())?;
    // It is aligned to 16 bytes, and where it has a section of its own, it is the first there.
    let start = (0..data.len()).step_by(16).find(|at| data[*at..].starts_with(MAGIC))?;
    let info = &data[start..];
    let flags = *info.get(15)?;
    let (go, modules) = if flags & INLINE != 0 {
        let mut rest = info.get(HEADER..)?;
        (inline(&mut rest)?, inline(&mut rest).unwrap_or_default())
    } else {
        let pointers = Pointers { size: usize::from(*info.get(14)?), big: flags & BIG_ENDIAN != 0 };
        let at = |index: usize| pointers.read(info, 16 + index * pointers.size);
        (pointed(file, &pointers, at(0)?)?, pointed(file, &pointers, at(1)?).unwrap_or_default())
    };
    let mut build = listed(without_sentinels(&modules));
    build.go = String::from_utf8(go).ok()?;
    Some(build)
}

/// A string behind its length, a varint.
fn inline(data: &mut &[u8]) -> Option<Vec<u8>> {
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let (byte, rest) = data.split_first()?;
        *data = rest;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    let text = data.get(..length)?.to_vec();
    *data = &data[length..];
    Some(text)
}

struct Pointers {
    size: usize,
    big: bool,
}

impl Pointers {
    fn read(&self, data: &[u8], at: usize) -> Option<u64> {
        let bytes = data.get(at..at.checked_add(self.size)?)?;
        let fold = |whole: u64, byte: &u8| (whole << 8) | u64::from(*byte);
        (bytes.len() <= 8).then(|| if self.big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }
}

/// The string behind a Go string header (address, length) at this address.
fn pointed<'a, R: ReadRef<'a>>(file: &object::File<'a, R>, pointers: &Pointers, address: u64) -> Option<Vec<u8>> {
    let memory = |address: u64, length: u64| file.sections().find_map(|s| s.data_range(address, length).ok().flatten());
    let size = u64::try_from(pointers.size).ok()?;
    let header = memory(address, 2 * size)?;
    memory(pointers.read(header, 0)?, pointers.read(header, pointers.size)?).map(<[u8]>::to_vec)
}

fn without_sentinels(modules: &[u8]) -> &[u8] {
    let whole = modules.len() > 2 * SENTINEL && modules[modules.len() - SENTINEL - 1] == b'\n';
    if whole { &modules[SENTINEL..modules.len() - SENTINEL] } else { &[] }
}

fn listed(modules: &[u8]) -> GoBuild {
    let mut build = GoBuild::default();
    let mut last = String::new();
    for line in String::from_utf8_lossy(modules).lines() {
        let mut words = line.split('\t');
        let kind = words.next().unwrap_or_default();
        match (kind, words.next(), words.next()) {
            ("mod", Some(path), Some(version)) => build.main = Some((path.to_owned(), version.to_owned())),
            ("dep", Some(path), Some(version)) => {
                path.clone_into(&mut last);
                build.modules.insert(path.to_owned(), version.to_owned());
            }
            ("=>", Some(_), Some(version)) => {
                build.modules.insert(last.clone(), version.to_owned());
            }
            ("build", Some(setting), _) => {
                if let Some((key, value)) = setting.split_once('=') {
                    build.settings.insert(key.to_owned(), value.trim_matches('"').to_owned());
                }
            }
            _ => {}
        }
    }
    build
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_modules_is_read() {
        let text = "path\thelm.sh/helm/v3/cmd/helm\nmod\thelm.sh/helm/v3\tv3.9.4\th1:x=\ndep\tk8s.io/client-go\tv0.24.2\th1:y=\n\
                    dep\tgithub.com/docker/distribution\tv2.8.1+incompatible\n=>\tgithub.com/docker/distribution\tv0.0.0-2019\th1:z=\n\
                    build\t-ldflags=\"-w -X a/b.version=v3.9.4\"\nbuild\tGOARCH=amd64\n";
        let build = listed(text.as_bytes());
        assert_eq!(build.main, Some(("helm.sh/helm/v3".into(), "v3.9.4".into())));
        assert_eq!(build.modules["k8s.io/client-go"], "v0.24.2");
        assert_eq!(build.modules["github.com/docker/distribution"], "v0.0.0-2019");
        assert_eq!(build.settings["-ldflags"], "-w -X a/b.version=v3.9.4");
        assert_eq!(build.settings["GOARCH"], "amd64");
    }

    #[test]
    fn what_is_no_program_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("helm");
        std::fs::write(&file, "#!/bin/sh\nexec helm3 \"$@\"\n").unwrap();
        assert_eq!(read(&file).unwrap(), None);
        // This program is one, but not of Go.
        assert_eq!(read(&std::env::current_exe().unwrap()).unwrap(), None);
        assert!(read(&dir.path().join("nowhere")).is_err());
    }

    #[test]
    fn lengths_that_lie_end_the_look() {
        assert_eq!(inline(&mut &b"\x05ab"[..]), None);
        assert_eq!(inline(&mut &b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..]), None);
        assert_eq!(inline(&mut &b"\x02abc"[..]), Some(b"ab".to_vec()));
    }
}
