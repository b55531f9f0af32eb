//! The tags of a registry that hands out tokens and lists in pages.

use super::runtime;
use karpctl::adapters::registry::PublicRegistry;
use karpctl::error::ErrorKind;
use karpctl::ports::Registry as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A registry on loopback: `answer` makes the reply of a request line and its `authorization` header.
fn registry(answer: fn(&str, Option<&str>, &str) -> String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (asked, address) = (Arc::new(Mutex::new(Vec::new())), host.clone());
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok).take_while(|l| !l.is_empty());
            let target = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
            let bearer = lines.find_map(|l| l.to_lowercase().starts_with("authorization:").then(|| l[14..].trim().to_owned()));
            log.lock().unwrap().push(target.clone());
            let reply = answer(&target, bearer.as_deref(), &address);
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    (host, asked)
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

fn paged(target: &str, bearer: Option<&str>, host: &str) -> String {
    if target.starts_with("/token?") {
        assert!(target.contains("scope=aws") && target.contains("service=here"), "{target}");
        return reply("200 OK", "", r#"{"token":"for-anybody"}"#);
    }
    if bearer != Some("Bearer for-anybody") {
        let challenge = format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"here\",scope=\"aws\"\r\n");
        return reply("401 Unauthorized", &challenge, "{}");
    }
    if target.contains("last=") {
        return reply("200 OK", "", r#"{"tags":["1.14.1"]}"#);
    }
    let link = "link: </v2/karpenter/karpenter/tags/list?last=v0.17.0&n=1>; rel=\"next\"\r\n";
    reply("200 OK", link, r#"{"tags":["v0.17.0"]}"#)
}

#[test]
fn every_page_is_read_with_the_token_that_anybody_gets() {
    let (host, asked) = registry(paged);
    let tags = runtime().block_on(PublicRegistry.tags(&format!("oci://{host}/karpenter/karpenter"))).unwrap();
    assert_eq!(tags, ["v0.17.0", "1.14.1"]);
    assert_eq!(asked.lock().unwrap().iter().filter(|t| t.starts_with("/token")).count(), 1, "one token is enough");
}

#[test]
fn a_tag_is_there_or_not() {
    let (host, asked) = registry(|target, bearer, host| {
        if target.starts_with("/token?") {
            return reply("200 OK", "", r#"{"token":"for-anybody"}"#);
        }
        match target.rsplit('/').next().unwrap() {
            _ if bearer.is_none() => {
                let challenge = format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"here\",scope=\"aws\"\r\n");
                reply("401 Unauthorized", &challenge, "{}")
            }
            "1.14.1" => reply("200 OK", "", "{}"),
            "v0.36.1" => reply("400 Bad Request", "", "{}"),
            "broken" => reply("500 Internal Server Error", "", "{}"),
            _ => reply("404 Not Found", "", "{}"),
        }
    });
    let repository = format!("oci://{host}/karpenter/karpenter");
    let has = |tag: &str| runtime().block_on(PublicRegistry.has(&repository, tag));
    assert_eq!((has("1.14.1"), has("v0.36.1"), has("v1.14.1")), (Ok(true), Ok(false), Ok(false)));
    assert!(has("broken").unwrap_err().to_string().contains("500"));
    assert!(asked.lock().unwrap().contains(&"/v2/karpenter/karpenter/manifests/1.14.1".to_owned()));
}

#[test]
fn what_a_registry_refuses_is_said() {
    let ask = |answer| {
        let (host, _) = registry(answer);
        runtime().block_on(PublicRegistry.tags(&format!("oci://{host}/karpenter/karpenter"))).unwrap_err()
    };
    let error = ask(|_, _, _| reply("404 Not Found", "", "{}"));
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = ask(|_, _, _| reply("401 Unauthorized", "www-authenticate: Basic realm=\"x\"\r\n", "{}"));
    assert!(error.to_string().contains("wants a login"), "{error}");
    // The next page of another host is not asked: the token would go there.
    let (host, asked) = registry(|_, _, _| reply("200 OK", "link: <http://127.0.0.1:1/v2/x>; rel=\"next\"\r\n", r#"{"tags":["1.0.0"]}"#));
    assert_eq!(runtime().block_on(PublicRegistry.tags(&format!("oci://{host}/a/b"))).unwrap(), ["1.0.0"]);
    assert_eq!(asked.lock().unwrap().len(), 1);
    let error = runtime().block_on(PublicRegistry.tags("oci://127.0.0.1:9/karpenter/karpenter")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
}
