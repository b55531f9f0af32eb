//! The examples of every `--help`: pasted as they stand, each is typed here or in the lab.

use super::{blocks_of, try_line};
use crate::lab::documents::{EXAMPLES, MIGRATION, PAGES};
use clap::CommandFactory as _;
use karpctl::cli::Cli;

/// The examples of `--help` that no test types, and why.
const NOT_TYPED: [(&str, &str); 2] = [
    ("karpctl rehearse", "minutes: `make test-all` types it (tests/lab/test_rehearse.py); `lab::interruption` begins one"),
    ("karpctl rehearse -f my.yaml -o json", "minutes: typed beside it"),
];

/// Where an example is typed that needs AWS: on a page, or as one of the examples there.
fn is_typed_in_the_lab(example: &str) -> bool {
    example == MIGRATION
        || EXAMPLES.iter().any(|(line, _)| *line == example)
        || PAGES.iter().any(|page| blocks_of(page).iter().any(|(_, lines)| lines.iter().any(|line| line == example)))
}

/// What a help says to type: all that stands below `Examples:`, those lines joined that go on after a backslash.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (_, below) = help.split_once("Examples:\n").unwrap_or_default();
    for line in below.lines() {
        // A longer one is broken at a terminal, and in docs/cli.md, without a backslash.
        assert!(line.len() <= 80, "{}: `{line}` has {} columns", command.get_name(), line.len());
    }
    let joined = below.replace("\\\n", " ");
    joined.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_example_of_every_help_is_typed() {
    let (mut ran, mut seen) = (0, 0);
    let mut unused: Vec<&str> = EXAMPLES.iter().map(|(line, _)| *line).chain([MIGRATION]).chain(NOT_TYPED.map(|(line, _)| line)).collect();
    let cli = Cli::command();
    let commands: Vec<&clap::Command> = cli.get_subcommands().collect();
    let below = commands.iter().flat_map(|command| command.get_subcommands().map(|sub| (vec![command.get_name(), sub.get_name()], sub)));
    let commands = commands.iter().map(|command| (vec![command.get_name()], *command));
    for (path, command) in std::iter::once((Vec::new(), &cli)).chain(commands).chain(below) {
        let name = command.get_name();
        let examples = examples(command);
        let is_of_it = |line: &&String| line.split(' ').take(1 + path.len()).eq(std::iter::once("karpctl").chain(path.iter().copied()));
        let of_it = examples.iter().filter(is_of_it).count();
        assert!(of_it >= 2, "{of_it} of {examples:?} are examples of {path:?}");
        let of_others = examples.iter().filter(|line| line.starts_with("karpctl ") && !is_of_it(line)).collect::<Vec<_>>();
        assert!(of_others.is_empty(), "{of_others:?} are no examples of {path:?}");
        for example in &examples {
            // What is not karpctl's own is typed in the lab.
            let offline = example.starts_with("karpctl ") && try_line(example, name);
            let left_out = NOT_TYPED.iter().any(|(line, _)| line == example);
            let typed = offline || is_typed_in_the_lab(example);
            assert!(typed != left_out, "`{example}` is typed here: {offline}, in the lab: {}, and left out: {left_out}", typed && !offline);
            unused.retain(|line| line != example);
            ran += usize::from(offline);
            seen += 1;
        }
    }
    assert!(unused.is_empty(), "no help has the examples {unused:?}");
    assert!(seen >= 55 && ran >= 17, "{seen} examples, {ran} run");
}
