//! Whatever an AWS service or an API server answers to whatever it was asked: each call ends, well or with an error that can be shown.

#[path = "../../../fuzz/asking.rs"]
mod asking;

use super::kube::eks;
use super::{KEYS, in_child, serve};
use crate::inputs::edited;
use asking::{ask_aws, ask_kubernetes};
use karpctl::adapters::aws::{AwsClient, AwsSettings};
use std::cell::Cell;
use std::sync::{Arc, Mutex};

const STATUS: [&str; 7] = ["200 OK", "200 OK", "200 OK", "400 Bad Request", "403 Forbidden", "404 Not Found", "500 Internal Server Error"];

#[test]
fn whatever_is_answered_each_call_ends() {
    let seconds = std::env::var(edited::SECONDS).unwrap_or_default();
    if !in_child(module_path!(), "whatever_is_answered_each_call_ends", &[KEYS[0], KEYS[1], KEYS[2], (edited::SECONDS, &seconds)]) {
        return;
    }
    let answer = Arc::new(Mutex::new((STATUS[0], String::new())));
    let given = answer.clone();
    let (url, _) = serve(move |_| {
        let (status, body) = given.lock().unwrap().clone();
        (status.to_owned(), body)
    });
    let runtime = super::runtime();
    let (aws, kube) = runtime.block_on(async {
        let home = std::path::PathBuf::from(std::env::var_os("HOME").unwrap()).join(".aws");
        std::fs::create_dir_all(&home).unwrap();
        let keys = "aws_access_key_id = test\naws_secret_access_key = test\n";
        std::fs::write(home.join("config"), format!("[profile there]\nendpoint_url = {url}\n{keys}")).unwrap();
        let settings = AwsSettings { region: Some("us-west-2".into()), profile: Some("there".into()) };
        (AwsClient::connect(&settings).await.unwrap(), eks(&url).await)
    });
    let turn = Cell::new(0);
    edited::try_edited("api_answers", |data| {
        turn.set(turn.get() + 1);
        *answer.lock().unwrap() = (STATUS[turn.get() % STATUS.len()], String::from_utf8_lossy(data).into_owned());
        runtime.block_on(async {
            // An API server's bad answer is asked for again and again, with pauses: only once in every batch.
            match turn.get() % 32 {
                0 => ask_kubernetes(kube.as_ref(), turn.get() / 32).await,
                _ => ask_aws(&aws, turn.get()).await,
            }
        });
    });
}
