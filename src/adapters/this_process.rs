//! This process as other runs on this machine can look for it.

use rustix::process::{Pid, getpid, test_kill_process};
use sha2::{Digest as _, Sha256};

/// `machine/process id/start`: the machine is one boot of one kernel, and one namespace of process ids in it, so that the same
/// number in a container means another process.
#[must_use]
pub fn identity() -> String {
    let pid = getpid().as_raw_nonzero().get();
    format!("{}/{pid}/{}", machine(), started(pid).unwrap_or_default())
}

/// Whether the process of an identity lives; `None` where it is of another machine, or nothing can be known.
#[must_use]
pub fn lives(identity: &str) -> Option<bool> {
    let mut parts = identity.split('/');
    let (there, pid, start) = (parts.next()?, parts.next()?.parse::<i32>().ok()?, parts.next()?);
    if there != machine() || there == UNKNOWN {
        return None;
    }
    let Some(raw) = Pid::from_raw(pid) else { return Some(false) };
    match test_kill_process(raw) {
        Err(rustix::io::Errno::SRCH) => Some(false),
        // Process ids come again.
        _ => Some(started(pid).is_none_or(|s| s == start) && !is_zombie(pid)),
    }
}

/// Whether whoever started this process has it ignore SIGHUP. Where the system does not say it, it does not.
#[must_use]
pub fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    // The first bit is that of signal 1.
    mask.is_some_and(|mask| mask & 1 != 0)
}

/// `user@host`, in the characters that a tag may have.
#[must_use]
pub fn person() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".into());
    let host = host_name();
    let plain = |text: &str| -> String { text.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(60).collect() };
    format!("{}@{}", plain(&user), plain(&host))
}

fn host_name() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    told.map_or_else(|_| UNKNOWN.to_owned(), |name| name.trim().to_owned())
}

const UNKNOWN: &str = "unknown";

fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = std::fs::read_link("/proc/self/ns/pid");
    let (Ok(boot), Ok(namespace)) = (boot, namespace) else { return UNKNOWN.to_owned() };
    let whole = format!("{} {} {}", boot.trim(), namespace.display(), host_name());
    Sha256::digest(whole.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect()
}

/// The fields of `/proc/PID/stat` behind the name, which may hold anything.
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn started(pid: i32) -> Option<String> {
    stat(pid)?.get(19).cloned()
}

fn is_zombie(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields.first().is_some_and(|state| state == "Z" || state == "X"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_its_likes_do_not() {
        let own = identity();
        assert_eq!(lives(&own), Some(true), "{own}");
        let (rest, _) = own.rsplit_once('/').unwrap();
        assert_eq!(lives(&format!("{rest}/1")), Some(false), "another process had this id before");
        assert_eq!(lives(&format!("{}/{}/1", machine(), i32::MAX)), Some(false));
        assert_eq!(lives("another/1/1"), None);
        assert_eq!(lives("rubbish"), None);
        assert!(own.len() < 256 && own.chars().all(|c| c.is_ascii_alphanumeric() || c == '/'));
    }

    #[test]
    fn a_process_that_has_ended_does_not_live() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let identity = format!("{}/{pid}/{}", machine(), started(pid).unwrap_or_default());
        while lives(&identity) == Some(true) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(lives(&identity), Some(false), "a zombie is dead too");
        child.wait().unwrap();
        assert_eq!(lives(&identity), Some(false));
    }
}
