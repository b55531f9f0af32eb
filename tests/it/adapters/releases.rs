//! The newest release of karpctl: whatever the address answers, a tag comes of it or nothing, soon and silently.

use crate::inputs::edited;
use karpctl::adapters::releases::{newest_release, tag_of};
use karpctl::knowledge::newer_karpctl;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const GOOD: &str = r#"{"url": "https://api.github.com/x", "tag_name": "v99.1.2", "draft": false, "assets": [{"name": "karpctl.deb"}]}"#;

/// An address where one question is answered so.
fn address(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/releases/latest", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        answer(&mut stream);
    });
    url
}

fn answering(status: &str, body: impl AsRef<[u8]> + Send + 'static) -> String {
    let status = status.to_owned();
    address(move |stream| {
        let body = body.as_ref();
        let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(body);
    })
}

#[test]
fn the_tag_is_read_from_what_github_answers() {
    assert_eq!(newest_release(&answering("200 OK", GOOD)).as_deref(), Some("v99.1.2"));
    assert_eq!(newer_karpctl("v99.1.2").as_deref(), Some("99.1.2"));
}

#[test]
fn what_answers_badly_is_silent() {
    let huge = format!(r#"{{"tag_name": "v99.1.2", "body": "{}"}}"#, "x".repeat(5 << 20));
    for (what, url) in [
        ("HTML", answering("200 OK", "<!DOCTYPE html><html><body>Log in</body></html>")),
        ("nothing", answering("200 OK", "")),
        ("huge", answering("200 OK", huge)),
        ("not UTF-8", answering("200 OK", [0xff, 0xfe, 0x00])),
        ("a number", answering("200 OK", r#"{"tag_name": 99}"#)),
        ("a list", answering("200 OK", r#"[{"tag_name": "v99.1.2"}]"#)),
        ("cut off", answering("200 OK", &GOOD[..40])),
        ("not there", answering("404 Not Found", GOOD)),
        ("a limit", answering("403 Forbidden", r#"{"message": "API rate limit exceeded"}"#)),
        ("broken", answering("500 Internal Server Error", GOOD)),
        ("hung up", address(|_| ())),
        ("less than promised", address(|stream| drop(write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{GOOD}")))),
        ("no HTTP", address(|stream| drop(stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n")))),
        ("nobody", "http://127.0.0.1:1/".to_owned()),
        ("no address", "see the manual".to_owned()),
        ("another scheme", "file:///etc/passwd".to_owned()),
        ("empty", String::new()),
    ] {
        assert_eq!(newest_release(&url), None, "{what}");
    }
}

#[test]
fn what_does_not_end_is_given_up() {
    let (hanging, dripping) = (
        address(|_| std::thread::sleep(Duration::from_secs(30))),
        address(|stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n");
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        }),
    );
    for url in [hanging, dripping] {
        let begun = Instant::now();
        assert_eq!(newest_release(&url), None);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[test]
fn whatever_a_tag_is_only_numbers_are_shown() {
    edited::try_edited("releases", |data| {
        if let Some(shown) = tag_of(&String::from_utf8_lossy(data)).and_then(|tag| newer_karpctl(&tag)) {
            assert!(shown.chars().all(|c| c.is_ascii_digit() || c == '.'), "{shown}");
        }
    });
}
