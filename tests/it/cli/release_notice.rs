//! A newer karpctl is told of at a terminal, after the work, once a day, and never at the expense of anything else.

use super::no_cluster::WHO;
use crate::adapters::serve;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const NOTE: &str = "note: karpctl 99.1.2 is out, and this is ";

/// A home, an AWS that takes its time and knows no cluster, and whoever is asked for releases.
struct Place {
    home: tempfile::TempDir,
    aws: String,
    releases: String,
    asked: Arc<AtomicUsize>,
}

impl Place {
    fn new(answers_after: Duration) -> Self {
        let (aws, _) = serve(|asked| {
            std::thread::sleep(Duration::from_millis(200));
            match asked.line() {
                line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
                line if line.starts_with("GET /clusters/") => {
                    ("404 Not Found".to_owned(), r#"{"__type": "ResourceNotFoundException"}"#.to_owned())
                }
                _ => ("200 OK".to_owned(), r#"{"clusterVersions": []}"#.to_owned()),
            }
        });
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let (releases, _) = serve(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(answers_after);
            ("200 OK".to_owned(), r#"{"tag_name": "v99.1.2"}"#.to_owned())
        });
        Self { home: tempfile::tempdir().unwrap(), aws, releases, asked }
    }

    /// Whoever runs `verify`, which ends soon: there is no cluster.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap();
        command.env_clear().env("PATH", path).env("HOME", self.home.path()).env("TERM", "xterm").env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs([("AWS_ENDPOINT_URL", &*self.aws), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        command.env("KARPCTL_RELEASES_URL", &self.releases).current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    /// At a terminal (util-linux's `script` makes one), with these variables and words. What was said, which must end as it ends without.
    #[track_caller]
    fn at_a_terminal(&self, env: &[(&str, &str)], words: &str) -> String {
        let line = format!("{} verify --cluster-name demo --region us-west-2 {words}", env!("CARGO_BIN_EXE_karpctl"));
        let output = self.command("script").envs(env.iter().copied()).args(["-qec", &line, "/dev/null"]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(words.contains("json") || said.contains("there is no cluster demo"), "{said}");
        said
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[test]
fn it_is_the_last_word_once_a_day() {
    let place = Place::new(Duration::ZERO);
    let said = place.at_a_terminal(&[], "");
    let (before, note) = said.split_once(NOTE).unwrap_or_else(|| panic!("no note:\n{said}"));
    assert!(before.contains("hint: ") && note.contains("KARPCTL_NO_RELEASE_NOTICE=1") && !note.contains("hint: "), "{said}");
    assert!(!place.at_a_terminal(&[], "").contains("99.1.2"), "again on the same day");
    assert_eq!(place.asked(), 1);
    let file = std::fs::File::options().write(true).open(place.home.path().join(".local/state/karpctl/asked-for-release")).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_hours(25)).unwrap();
    assert!(place.at_a_terminal(&[], "").contains(NOTE), "the day after");
    assert_eq!(place.asked(), 2);
}

#[test]
fn nobody_is_asked_where_nobody_would_read_it() {
    let place = Place::new(Duration::ZERO);
    for (env, words) in [
        (("CI", "true"), ""),
        (("KARPCTL_NO_RELEASE_NOTICE", "1"), ""),
        (("KARPCTL_RELEASES_URL", ""), ""),
        (("X", ""), "-q"),
        (("X", ""), "-o json"),
    ] {
        let said = place.at_a_terminal(&[env], words);
        assert!(!said.contains("99.1.2"), "{env:?} {words}: {said}");
    }
    let piped =
        place.command(env!("CARGO_BIN_EXE_karpctl")).args(["verify", "--cluster-name", "demo", "--region", "us-west-2"]).output().unwrap();
    assert_eq!(piped.status.code(), Some(1));
    assert!(!String::from_utf8(piped.stderr).unwrap().contains("99.1.2"));
    assert_eq!(place.asked(), 0);
    // Where a day cannot be told from another.
    std::fs::write(place.home.path().join(".local"), "a file").unwrap();
    assert!(!place.at_a_terminal(&[], "").contains("99.1.2"));
    assert_eq!(place.asked(), 0);
}

#[test]
fn an_answer_that_takes_long_is_not_waited_for() {
    let place = Place::new(Duration::from_mins(1));
    let begun = Instant::now();
    let said = place.at_a_terminal(&[], "");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(!said.contains("99.1.2"));
    assert_eq!(place.asked(), 1);
}
