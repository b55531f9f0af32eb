//! For which machine a program is made, read from its own header without running it.

use object::read::ReadCache;
use object::{Architecture, BinaryFormat, Object as _};
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

/// Why this machine would not run a program. `None`: it would, or its header says nothing (a script, a program for several machines).
pub(super) fn foreign(file: &Path) -> Option<String> {
    let cache = ReadCache::new(BufReader::new(File::open(file).ok()?));
    let (format, processor) = object::File::parse(&cache).map(|program| (program.format(), program.architecture())).ok()?;
    let own = rustix::system::uname().machine().to_string_lossy().into_owned();
    let problem = problem(format, processor, &own)?;
    (!interpreted(file)).then_some(problem)
}

const OWN_FORMAT: BinaryFormat = if cfg!(target_os = "macos") { BinaryFormat::MachO } else { BinaryFormat::Elf };

fn problem(format: BinaryFormat, processor: Architecture, own: &str) -> Option<String> {
    let system = match format {
        BinaryFormat::Elf => "Linux",
        BinaryFormat::MachO => "macOS",
        BinaryFormat::Pe => "Windows",
        _ => return None,
    };
    if format != OWN_FORMAT {
        return Some(format!("it is a program for {system}"));
    }
    let name = match processor {
        Architecture::X86_64 => "x86_64",
        Architecture::Aarch64 => "arm64",
        Architecture::I386 => "i386",
        Architecture::Arm => "32-bit arm",
        Architecture::PowerPc64 => "ppc64le",
        Architecture::S390x => "s390x",
        Architecture::Riscv64 => "riscv64",
        _ => return None,
    };
    let runs: &[Architecture] = match own {
        "x86_64" | "amd64" => &[Architecture::X86_64, Architecture::I386],
        // macOS translates the programs of its older machines.
        "aarch64" | "arm64" if cfg!(target_os = "macos") => &[Architecture::Aarch64, Architecture::X86_64],
        "aarch64" | "arm64" => &[Architecture::Aarch64, Architecture::Arm],
        "ppc64le" => &[Architecture::PowerPc64],
        "s390x" => &[Architecture::S390x],
        "riscv64" => &[Architecture::Riscv64],
        _ => return None,
    };
    (!runs.contains(&processor)).then(|| format!("it is made for {name}, and this machine is {own}"))
}

/// Whether the kernel hands such a program to another that runs it: qemu for other processors, WSL for those of Windows.
fn interpreted(file: &Path) -> bool {
    let mut head = [0; 128];
    let read = File::open(file).and_then(|mut f| f.read(&mut head)).unwrap_or_default();
    let entries = std::fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).any(|entry| takes(&entry, &head[..read]))
}

/// Whether an entry of `binfmt_misc` (Documentation/admin-guide/binfmt-misc.rst of Linux) is on and fits what a file begins with.
fn takes(entry: &str, head: &[u8]) -> bool {
    let field = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let bytes =
        |hex: &str| -> Option<Vec<u8>> { (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect() };
    let Some(magic) = field("magic ").and_then(bytes) else { return false };
    let mask = field("mask ").and_then(bytes).unwrap_or_else(|| vec![0xff; magic.len()]);
    let begins = || magic.len() <= head.len() && magic.iter().zip(&mask).zip(head).all(|((magic, mask), byte)| magic & mask == byte & mask);
    entry.starts_with("enabled") && field("offset ") == Some("0") && begins()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_another_machine_is_told() {
        for (processor, own, words) in [
            (Architecture::Aarch64, "x86_64", "made for arm64, and this machine is x86_64"),
            (Architecture::S390x, "aarch64", "made for s390x"),
        ] {
            let why = problem(OWN_FORMAT, processor, own).unwrap();
            assert!(why.contains(words), "{why}");
        }
        for (processor, own) in [
            (Architecture::X86_64, "x86_64"),
            (Architecture::I386, "x86_64"),
            (Architecture::Aarch64, "arm64"),
            (Architecture::X86_64, "vax"),
        ] {
            assert_eq!(problem(OWN_FORMAT, processor, own), None);
        }
        assert_eq!(problem(BinaryFormat::Pe, Architecture::X86_64, "x86_64").as_deref(), Some("it is a program for Windows"));
        assert_eq!(foreign(&std::env::current_exe().unwrap()), None, "this one runs");
        assert_eq!(foreign(Path::new("/nowhere")), None);
    }

    #[test]
    fn the_header_alone_decides() {
        let dir = tempfile::tempdir().unwrap();
        let mut program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        if !program.starts_with(b"\x7fELF") {
            return;
        }
        // The processor stands in `e_machine`; this is RISC-V.
        program[18..20].copy_from_slice(&243_u16.to_le_bytes());
        let file = dir.path().join("helm");
        std::fs::write(&file, &program).unwrap();
        assert!(foreign(&file).is_some_and(|why| why.contains("riscv64")) || interpreted(&file) || cfg!(target_arch = "riscv64"));
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert_eq!(foreign(&file), None);
    }

    #[test]
    fn an_emulator_that_is_on_takes_its_programs() {
        let entry = |state: &str| format!("{state}\ninterpreter /usr/bin/qemu\nflags: F\noffset 0\nmagic 7f454c46\nmask ffffffff\n");
        assert!(takes(&entry("enabled"), b"\x7fELF\x02"));
        assert!(!takes(&entry("disabled"), b"\x7fELF\x02") && !takes(&entry("enabled"), b"MZ") && !takes(&entry("enabled"), b"\x7f"));
        assert!(!takes("enabled\nextension .exe\n", b"MZ"));
    }
}
