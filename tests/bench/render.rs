//! How long it takes to render everything: each document of each release in each partition, in one process. Prints the time and what
//! it is of the goal.

#![allow(clippy::unwrap_used, reason = "what cannot be rendered is no figure")]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../it/fixture.rs"]
mod fixture;

use karpctl::knowledge::Release;
use karpctl::render::{Document, Inputs, document};
use karpctl::spec::{Partition, Region, Spec};
use std::io::Write as _;
use std::time::Instant;

/// What all of it may take.
const GOAL_SECONDS: f64 = 1.0;

fn main() {
    let inputs = Inputs { cluster_endpoint: Some("https://api".into()), ..Inputs::default() };
    let (mut documents, mut bytes) = (0, 0);
    let begun = Instant::now();
    for region in ["us-west-2", "cn-north-1", "us-gov-west-1"] {
        for release in Release::all() {
            let region: Region = region.parse().unwrap();
            let spec = Spec { partition: Partition::of_region(&region), region, ..fixture::spec(&release.to_string()) };
            for which in Document::of(&release) {
                bytes += document(which, &spec, &inputs).unwrap().len();
                documents += 1;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let line =
        format!("every release rendered: {documents} documents, {bytes} bytes, {seconds:.3} s, {:.2} of the goal", seconds / GOAL_SECONDS);
    std::io::stdout().write_all((line + "\n").as_bytes()).unwrap();
}
