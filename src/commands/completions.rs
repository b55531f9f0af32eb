//! `karpctl generate completions`: what clap writes, and what it leaves out: for fish, elvish and PowerShell the words that a command takes
//! by their place, for elvish those that a flag takes.

use clap::builder::PossibleValue;
use clap::{Arg, Command};
use clap_complete::Shell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The completions of a shell.
pub(super) fn script(shell: Shell, mut cli: Command) -> String {
    let mut made = Vec::new();
    clap_complete::generate(shell, &mut cli, "karpctl", &mut made);
    let mut script = String::from_utf8_lossy(&made).into_owned();
    match shell {
        Shell::Fish => for_fish(&cli, &mut script),
        Shell::Elvish => {
            script = below_their_commands(&cli, &script, "&'", "'= {", candidate);
            script = behind_their_flags(&cli, &script);
        }
        Shell::PowerShell => {
            let offer = |word: &str, help: &str| {
                format!("[CompletionResult]::new('{word}', '{word}', [CompletionResultType]::ParameterValue, '{help}')")
            };
            script = below_their_commands(&cli, &script, "'", "' {", offer);
        }
        _ => {}
    }
    script
}

fn for_fish(cli: &Command, script: &mut String) {
    let listed = |argument: &Arg| {
        let words: Vec<String> = words(argument).into_iter().map(|(word, _)| word).collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    for flag in cli.get_arguments().filter(|a| !a.is_positional()) {
        if let (Some(long), Some(words)) = (flag.get_long(), listed(flag)) {
            // Where only the flag is typed, the condition that clap gives it is not met.
            let _ = writeln!(script, "complete -c karpctl -l {long} -r -f -a \"{words}\"");
        }
    }
    for (path, command) in commands(cli) {
        let condition = match path.as_slice() {
            [command] => format!("__fish_karpctl_using_subcommand {command}"),
            [command, below @ ..] => {
                format!("__fish_karpctl_using_subcommand {command}; and __fish_seen_subcommand_from {}", below.join(" "))
            }
            [] => continue,
        };
        for words in command.get_positionals().filter_map(listed) {
            let _ = writeln!(script, "complete -c karpctl -n \"{condition}\" -f -a \"{words}\"");
        }
    }
}

/// The script with the words of each command offered where its flags are: below the line `BEFOREkarpctl;commandAFTER`.
fn below_their_commands(cli: &Command, script: &str, before: &str, after: &str, offer: impl Fn(&str, &str) -> String) -> String {
    let mut offers: BTreeMap<String, String> = BTreeMap::new();
    for (path, command) in commands(cli) {
        let offered: String = command
            .get_positionals()
            .flat_map(words)
            .map(|(word, help)| format!("            {}\n", offer(&word, &help.replace('\'', "''"))))
            .collect();
        offers.insert(format!("{before}karpctl;{}{after}", path.join(";")), offered);
    }
    script.lines().map(|line| format!("{line}\n{}", offers.get(line.trim()).map_or("", String::as_str))).collect()
}

/// A word as elvish is offered it.
fn candidate(word: &str, help: &str) -> String {
    format!("cand {word} '{help}'")
}

/// elvish's script with the words of a flag offered where the flag is the word before.
fn behind_their_flags(cli: &Command, script: &str) -> String {
    let mut values = String::new();
    for (path, command) in std::iter::once((Vec::new(), cli)).chain(commands(cli)) {
        let path: String = std::iter::once("karpctl").chain(path).map(|word| format!("{word};")).collect();
        for flag in command.get_arguments().filter(|a| !a.is_positional()) {
            let offers: String =
                words(flag).iter().map(|(word, help)| format!("            {}\n", candidate(word, &help.replace('\'', "''")))).collect();
            let names = [flag.get_long().map(|long| format!("--{long}")), flag.get_short().map(|short| format!("-{short}"))];
            for name in names.into_iter().flatten().filter(|_| !offers.is_empty()) {
                let _ = write!(values, "        &'{path}{name}'= {{\n{offers}        }}\n");
            }
        }
    }
    let answer = "    $completions[$command]\n";
    let asked = format!(
        "    var values = [\n{values}    ]\n    var flag = $command';'$words[-2]\n    if (has-key $values $flag) {{\n        $values[$flag]\n    }} else {{\n    \
         {answer}    }}\n"
    );
    script.replace(answer, &asked)
}

/// Every command with the words that lead to it.
fn commands(cli: &Command) -> Vec<(Vec<&str>, &Command)> {
    let mut all = Vec::new();
    for command in cli.get_subcommands() {
        all.push((vec![command.get_name()], command));
        all.extend(command.get_subcommands().map(|below| (vec![command.get_name(), below.get_name()], below)));
    }
    all
}

/// The words that an argument takes, with what each means, where they are a list.
fn words(argument: &Arg) -> Vec<(String, String)> {
    if !argument.get_num_args().is_some_and(|n| n.takes_values()) {
        return Vec::new();
    }
    let help = |value: &PossibleValue| value.get_help().map_or_else(|| value.get_name().to_owned(), ToString::to_string);
    argument.get_possible_values().iter().map(|value| (value.get_name().to_owned(), help(value))).collect()
}
