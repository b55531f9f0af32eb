//! The newest release of karpctl, as the address says that a person has set for it.

use super::web::asking;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, SystemTime};
use ureq::Agent;

/// How long the whole answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes. One that lists many files has tens of thousands.
const LONGEST: u64 = 1 << 20;

/// The tag of the newest release. `None`: nobody answers, or with something else.
#[must_use]
pub fn newest_release(url: &str) -> Option<String> {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
    let config = asking(host, PATIENCE).user_agent(concat!("karpctl/", env!("CARGO_PKG_VERSION"))).build();
    let mut answer = Agent::from(config).get(url).header("accept", "application/json").call().ok()?;
    tag_of(&answer.body_mut().with_config().limit(LONGEST).read_to_string().ok()?)
}

/// The tag in an answer as GitHub's releases API gives it.
#[must_use]
pub fn tag_of(answer: &str) -> Option<String> {
    serde_json::from_str::<Value>(answer).ok()?.get("tag_name")?.as_str().map(str::to_owned)
}

/// When it was asked last, as this file's time says; it is empty.
#[must_use]
pub fn last_asked(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|file| file.modified()).ok()
}

/// Keeps that it is asked now.
pub fn keep_asked(file: &Path) -> std::io::Result<()> {
    file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(file, ""))
}
