//! Whatever comes in by any door: nothing panics, nothing reaches a terminal that it would obey. The same doors have fuzz targets in
//! `fuzz/`, which `make fuzz` runs for a minute each; what they find goes into the corpus, and is tried here.

#[path = "../../fuzz/doors.rs"]
mod doors;

use doors::DOORS;
use proptest::prelude::*;
use std::path::Path;

#[test]
fn the_corpus_passes_every_door() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut tried = 0;
    for (name, door) in DOORS {
        for file in std::fs::read_dir(corpus.join(name)).unwrap() {
            door(&std::fs::read(file.unwrap().path()).unwrap());
            tried += 1;
        }
    }
    assert!(tried >= DOORS.len(), "each door has something in the corpus");
}

proptest! {
    #[test]
    fn any_bytes_pass_every_door(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (_, door) in DOORS {
            door(&data);
        }
    }

    #[test]
    fn what_is_nearly_right_passes_every_door(
        words in proptest::collection::vec(prop_oneof![
            Just("clusterName: "), Just("users:\n- name: u\n"), Just("exec: {"), Just("}"), Just("\n"), Just("  "), Just("- "), Just("&a "), Just("*a"),
            Just("apiVersion: client.authentication.k8s.io/v1alpha1"), Just("{\"kind\":\"ExecCredential\","), Just("\"status\":{\"token\":\"x\"}"),
            Just("\u{1b}[31m"), Just("\u{9b}31m"), Just("\r"), Just("arn:aws:iam::"), Just("111122223333:role/x"), Just("v1.14.1"), Just("1.34"),
            Just("Error: "), Just("[✖]  "), Just("2026-01-01 12:00:00 "), Just("\0"), Just("!!binary "), Just("? "), Just("\""),
        ], 0..30)
    ) {
        let text = words.concat();
        for (_, door) in DOORS {
            door(text.as_bytes());
        }
    }
}
