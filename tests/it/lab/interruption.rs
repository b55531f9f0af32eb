//! Ctrl-C, and what a terminal shows: the first finishes what is under way, the second leaves at once, and neither leaves a mark.

use super::{Ended, Stage, stage};
use karpctl::shell::quoted;
use serde_json::json;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// More lines than any run writes: nothing scrolls away.
const ROWS: u16 = 400;

/// A program on a terminal of its own, which `script` makes.
struct Terminal {
    script: Child,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: std::thread::JoinHandle<Vec<u8>>,
}

/// How a program ended, and what it leaves on the terminal.
struct Left {
    code: i32,
    text: String,
    /// All that was written, with what a terminal obeys.
    written: String,
}

impl Terminal {
    fn run(command: &Command) -> Self {
        Self::of(80, command)
    }

    /// On a terminal that is so wide.
    fn of(columns: u16, command: &Command) -> Self {
        let program = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = program.map(|word| quoted(word.to_str().unwrap())).collect();
        let mut script = Command::new("script");
        script.args(["-qefc", &format!("stty rows {ROWS} columns {columns}; exec {}", words.join(" ")), "/dev/null"]).env_clear();
        script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        script.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, columns, 0)));
        let (mut output, shown) = (script.stdout.take().unwrap(), Arc::clone(&screen));
        let reader = std::thread::spawn(move || {
            let (mut chunk, mut written) = ([0; 4096], Vec::new());
            while let Ok(read @ 1..) = output.read(&mut chunk) {
                shown.lock().unwrap().process(&chunk[..read]);
                written.extend(&chunk[..read]);
            }
            written
        });
        Self { script, screen, reader }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    #[track_caller]
    fn wait_for(&self, words: &str) {
        let began = Instant::now();
        while !self.text().contains(words) {
            assert!(began.elapsed() < Duration::from_mins(2), "`{words}` is not shown:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn types(&mut self, keys: &[u8]) {
        let stdin = self.script.stdin.as_mut().unwrap();
        stdin.write_all(keys).and_then(|()| stdin.flush()).unwrap();
    }

    /// The exit code and the text that stays, where that is clean.
    #[track_caller]
    fn ends_clean(self) -> (i32, String) {
        let Left { code, text, .. } = self.leaves_clean();
        (code, text)
    }

    /// What stays, where that is clean: no bar is left, and what comes next begins on a line of its own.
    #[track_caller]
    fn leaves_clean(mut self) -> Left {
        let code = self.script.wait().unwrap().code().unwrap();
        let written = String::from_utf8(self.reader.join().unwrap()).unwrap();
        let parser = self.screen.lock().unwrap();
        let text = parser.screen().contents();
        let is_bar = |line: &&str| {
            ["| ", "/ ", "- ", "\\ ", "  > "].iter().any(|turning| line.starts_with(turning)) || line.contains(" s of about ")
        };
        let bars: Vec<&str> = text.lines().filter(is_bar).collect();
        assert!(bars.is_empty(), "bars are left: {bars:#?}\n{text}");
        assert_eq!(parser.screen().cursor_position().1, 0, "the last line has no end:\n{text}");
        assert!(!parser.screen().hide_cursor(), "the cursor is hidden");
        Left { code, text, written }
    }
}

fn bootstrap<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["bootstrap", "--existing-cluster", "--timeout", "120"], more].concat()
}

#[test]
fn an_interruption_goes_on_where_it_stopped() {
    let Some(stage) = stage("ctrlc") else { return };
    the_second_leaves_at_once_and_takes_eksctl_along(&stage);
    stage.existing("1.34", "API");
    a_question_is_left_by_one(&stage);
    the_first_finishes_what_is_under_way(&stage);
    a_terminal_keeps_only_what_was_said(&stage);
    stage.karpctl(&bootstrap(&["--yes"])).exits(0).says("Nothing to do");
    a_way_back_is_explained_as_one(&stage);
}

/// Both karpctls get it, the one that rehearses and the one that it runs: it is said once, and what that one says helps is not followed.
#[test]
fn a_rehearsal_is_left_clean() {
    if !super::is_installed() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_karpctl"));
    command.arg("rehearse").env_clear().current_dir(dir.path());
    command.envs(["HOME", "PATH", "KARPCTL_LAB_CACHE", "TMPDIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // While the lab comes up, and while an act runs.
    let mut terminal = Terminal::run(&command);
    terminal.wait_for("lab: certificates is up");
    terminal.types(b"\x03");
    let (code, text) = terminal.ends_clean();
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("the rehearsal was interrupted") && !text.contains("kwok is up"), "{text}");
    let mut terminal = Terminal::run(&command);
    terminal.wait_for("cluster rehearsal [");
    terminal.types(b"\x03");
    let (code, text) = terminal.ends_clean();
    assert_eq!(code, 130, "{text}");
    assert_eq!(text.matches("interrupted: finishing").count(), 1, "{text}");
    let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, end) = said.split_once("error: the rehearsal was interrupted").unwrap_or_else(|| panic!("{text}"));
    assert!(end.contains("nothing is left running") && end.contains("`karpctl rehearse` begins anew"), "{text}");
}

/// An eksctl that takes its time, whatever it is asked.
fn the_second_leaves_at_once_and_takes_eksctl_along(stage: &Stage) {
    let (eksctl, pid, temporary) = (stage.dir().join("eksctl"), stage.dir().join("pid"), stage.dir().join("tmp"));
    std::fs::create_dir(&temporary).unwrap();
    let script = format!(
        "#!/bin/sh\ntrap '' INT TERM\n[ $1 = version ] && echo 0.230.0 && exit\necho $$ > {}\necho building\nsleep 300\n",
        pid.display()
    );
    std::fs::write(&eksctl, script).unwrap();
    std::fs::set_permissions(&eksctl, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = stage.command(&["bootstrap", "--yes", "--eksctl", eksctl.to_str().unwrap()]);
    let mut terminal = Terminal::run(command.env("TMPDIR", &temporary));
    terminal.wait_for("eksctl: building");
    terminal.types(b"\x03");
    terminal.wait_for("interrupt again to leave at once");
    assert!(terminal.script.try_wait().unwrap().is_none(), "the first must let what is under way finish");
    let asked = Instant::now();
    terminal.types(b"\x03");
    let (code, text) = terminal.ends_clean();
    assert_eq!(code, 130, "{text}");
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    let child = std::fs::read_to_string(&pid).unwrap();
    while runs(child.trim()) {
        assert!(asked.elapsed() < Duration::from_secs(10), "eksctl still runs");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "private files are left");
}

fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| !status.contains("Z (zombie)"))
}

/// The question is answered with `explain`, which says this, and is then left; all that was said.
fn explained_and_left(stage: &Stage, words: &[&str], says: &str) -> String {
    let mut terminal = Terminal::run(&stage.command(words));
    terminal.wait_for("[e]xplain:");
    terminal.types(b"explain\n");
    terminal.wait_for(says);
    terminal.types(b"\x03");
    let (code, text) = terminal.ends_clean();
    assert_eq!(code, 130, "{text}");
    text
}

fn a_question_is_left_by_one(stage: &Stage) {
    let before = stage.inventory();
    let text = explained_and_left(stage, &bootstrap(&[]), "Makes the role");
    assert!(text.contains("error: interrupted; nothing was changed") && !text.contains("finishing"), "{text}");
    assert_eq!(stage.inventory(), before);
}

fn a_way_back_is_explained_as_one(stage: &Stage) {
    explained_and_left(stage, &["destroy", "--existing-cluster"], "  What it does on the way up:\n  Makes the role");
}

fn the_first_finishes_what_is_under_way(stage: &Stage) {
    stage.lab().post("settings", &json!({"pace": 5})).unwrap();
    let mut command = stage.command(&bootstrap(&["--yes", "-o", "ndjson"]));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let begun = lines.by_ref().map_while(Result::ok).any(|l| l.contains("step-started") && l.contains("\"pod-identity-agent\""));
    assert!(begun, "the add-on, which takes its time, never began");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(rest.last().is_some_and(|l| l.contains("run-finished")), "{}", rest.join("\n"));
    let ended = Ended::from(child.wait_with_output().unwrap()).exits(130);
    let errors: Vec<&str> = ended.stderr.lines().filter(|l| l.contains("karpctl/error/v1")).collect();
    assert_eq!(errors.len(), 1, "one interruption is one error: {}", ended.stderr);
    let hints = serde_json::from_str::<serde_json::Value>(errors[0]).unwrap()["hints"].to_string();
    for once in ["it goes on from here", "goes on by itself", "run it again"] {
        assert_eq!(hints.matches(once).count(), 1, "`{once}` is said once: {hints}");
    }
    stage.lab().post("settings", &json!({"pace": 0})).unwrap();
}

fn a_terminal_keeps_only_what_was_said(stage: &Stage) {
    let left = Terminal::run(&stage.command(&bootstrap(&["--yes"]))).leaves_clean();
    assert!(each_step_is_said_once(&left) >= 4, "{}", left.text);
    assert!(left.text.lines().any(|l| l.starts_with("Karpenter 1.14.1 is at work in ctrlc.")), "{}", left.text);
    // A wide one, one without colours, and that of a job, where nothing moves.
    for (columns, variable) in [(120, None), (80, Some("NO_COLOR")), (80, Some("CI"))] {
        stage.kubectl(&["delete", "nodepool", "default"]);
        let mut command = stage.command(&bootstrap(&["--yes"]));
        let left = Terminal::of(columns, command.envs(variable.map(|name| (name, "1")))).leaves_clean();
        assert!(each_step_is_said_once(&left) >= 1, "{}", left.text);
        let codes = codes(&left.written);
        assert_eq!(codes.contains('m'), variable != Some("NO_COLOR"), "{variable:?}: colours: {:?}", left.written);
        assert_eq!(codes.contains(['A', 'J']), variable != Some("CI"), "{variable:?}: what is drawn is taken away: {:?}", left.written);
    }
}

/// How many steps are said to be done.
#[track_caller]
fn each_step_is_said_once(left: &Left) -> usize {
    assert_eq!(left.code, 0, "{}", left.text);
    let done: Vec<&str> = left.text.lines().filter(|l| l.starts_with("done ")).collect();
    let distinct: std::collections::BTreeSet<&&str> = done.iter().collect();
    assert_eq!(distinct.len(), done.len(), "each step is said once: {}", left.text);
    done.len()
}

/// What the terminal was told, a letter each: `m` to colour, `A` to go up, `J` to take away what follows.
fn codes(written: &str) -> String {
    written.split("\x1b[").skip(1).filter_map(|code| code.chars().find(char::is_ascii_alphabetic)).collect()
}
