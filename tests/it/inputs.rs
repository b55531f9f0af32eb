//! Whatever comes in by any door: nothing panics, nothing reaches a terminal that it would obey. `make fuzz` gives each door a minute of
//! edited inputs, and another by the fuzz targets in `fuzz/`, which are the same doors; what either finds goes into the corpus, and is tried here.

#[path = "../../fuzz/doors.rs"]
mod doors;
pub(crate) mod edited;

use doors::DOORS;
use proptest::prelude::*;

#[test]
fn the_corpus_passes_every_door() {
    for (name, door) in DOORS {
        let files = edited::corpus(name);
        assert!(!files.is_empty(), "{name} has something in the corpus");
        for file in &files {
            door(file);
        }
    }
}

#[test]
fn the_corpus_with_edits_passes_every_door() {
    for (name, door) in DOORS {
        edited::try_edited(name, door);
    }
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
