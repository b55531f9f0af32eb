//! The adapters, as far as they can be seen without a cloud: what they sign, how they run children, what they leave behind,
//! what they make of what others say. Only small shell scripts are run and only loopback is asked.

mod answers;
mod aws;
mod eks_token;
mod kube;
mod process;
mod registry;
mod releases;
mod silence;
mod tools;
mod words;

use karpctl::ports::{HelmInstall, Origin};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn script(dir: &Path, name: &str, body: &str) -> PathBuf {
    let file = dir.join(name);
    // Written beside and moved: a file that is open for writing in another thread's fork cannot be executed.
    let beside = dir.join(format!("{name}.new"));
    std::fs::write(&beside, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    file
}

fn karpenter() -> HelmInstall {
    HelmInstall {
        release: "karpenter".into(),
        namespace: "kube-system".into(),
        chart: "oci://public.ecr.aws/karpenter/karpenter".into(),
        version: "1.14.1".into(),
        origin: Origin::Any,
        values: json!({"settings": {"clusterName": "demo"}}),
        skip_crds: true,
        take_ownership: false,
        goes_on: false,
        wait: Some(Duration::from_mins(5)),
    }
}

/// Runs a call in a process of its own, because the SDK takes its settings from the environment.
fn in_child(module: &str, test: &str, env: &[(&str, &str)]) -> bool {
    if std::env::var_os("KARPCTL_TEST_CHILD").is_some() {
        return true;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.env_clear().env("PATH", path).env("HOME", home.path()).env("KARPCTL_TEST_CHILD", "1");
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_MAX_ATTEMPTS", "1").envs(env.iter().copied());
    // An empty value takes one of these away.
    for (name, _) in env.iter().filter(|(_, value)| value.is_empty()) {
        command.env_remove(name);
    }
    // Without the name of the test binary.
    let module = module.split_once("::").map_or("", |(_, m)| m);
    let output = command.args(["--exact", &format!("{module}::{test}"), "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// Credentials for a child.
const KEYS: [(&str, &str); 3] = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-west-2")];

/// What was asked: the request line, the headers in lower case, the body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    line: String,
    headers: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    pub(crate) fn headers(&self) -> &str {
        &self.headers
    }
}

/// A server on loopback, until the process ends. Returns its URL and what it is asked.
pub(crate) fn serve(answer: impl Fn(&Asked) -> (String, String) + Send + 'static) -> (String, Arc<Mutex<Vec<Asked>>>) {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let all = Arc::new(Mutex::new(Vec::new()));
    let kept = all.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut asked = Asked { line: String::new(), headers: String::new(), body: String::new() };
            reader.read_line(&mut asked.line).unwrap();
            asked.line.truncate(asked.line.trim_end().len());
            while !asked.headers.ends_with("\r\n\r\n") && reader.read_line(&mut asked.headers).is_ok_and(|n| n > 2) {}
            asked.headers.make_ascii_lowercase();
            let length = asked.headers.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |n| n.trim().parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            asked.body = String::from_utf8(body).unwrap();
            let (status, body) = answer(&asked);
            kept.lock().unwrap().push(asked);
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        }
    });
    (url, all)
}

/// Answers every request with 200 and a body that does not end; the bytes that were taken of all.
pub(crate) fn serve_without_end() -> (String, Arc<AtomicU64>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicU64::new(0));
    let counter = taken.clone();
    std::thread::spawn(move || {
        let chunk = vec![b'a'; 1 << 16];
        for stream in listener.incoming() {
            let (mut stream, chunk, counter) = (stream.unwrap(), chunk.clone(), counter.clone());
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
                while write!(stream, "{:x}\r\n", chunk.len())
                    .and_then(|()| stream.write_all(&chunk))
                    .and_then(|()| stream.write_all(b"\r\n"))
                    .is_ok()
                {
                    counter.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                }
            });
        }
    });
    (url, taken)
}
