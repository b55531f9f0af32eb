use super::*;
use proptest::prelude::*;

const OURS: &str = "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo";

fn ours() -> RoleMapping {
    RoleMapping {
        rolearn: OURS.into(),
        username: "system:node:{{EC2PrivateDNSName}}".into(),
        groups: vec!["system:bootstrappers".into(), "system:nodes".into()],
    }
}

/// Texts as people, eksctl, Terraform and CDK write them.
const TEXTS: &[&str] = &[
    "",
    "\n",
    "# nobody yet\n",
    "[]",
    "[]\n",
    "[ ]\n",
    "--- []\n",
    "- groups:\n  - system:bootstrappers\n  - system:nodes\n  rolearn: arn:aws:iam::111122223333:role/eksctl-demo\n  username: system:node:{{EC2PrivateDNSName}}\n",
    "- groups:\n  - system:masters\n  rolearn: arn:aws:iam::111122223333:role/admin\n  username: admin",
    "  - rolearn: arn:aws:iam::111122223333:role/a\n    username: a\n    groups: [x]\n  # the second\n  - rolearn: arn:aws:iam::111122223333:role/b\n    username: b\n\n# the end\n",
    "- \"rolearn\": \"arn:aws:iam::111122223333:role/a\"\r\n  \"username\": \"a\"\r\n  \"groups\":\r\n  - \"x\"\r\n",
    "---\n-   rolearn:   arn:aws:iam::111122223333:role/a   # spaced\n    username: a\n",
    "[{\"rolearn\":\"arn:aws:iam::111122223333:role/a\",\"username\":\"a\",\"groups\":[\"x\",\"y\"]}]",
    "[\n  {\n    \"rolearn\": \"arn:aws:iam::111122223333:role/a\",\n    \"groups\": []\n  }\n]\n",
    "[{rolearn: 'arn:aws:iam::111122223333:role/a', username: 'it''s, [odd]'}, ]\n",
    "- just a string\n- rolearn: 5\n- username: nobody\n- rolearn: arn:aws:iam::111122223333:role/a\n  groups: x\n",
    "- rolearn: arn:aws:iam::111122223333:role/a\n  username: |\n    - looks like a row\n    # and a comment\n  groups:\n    - x\n",
    "- rolearn: arn:aws:iam::111122223333:role/a\n  rolearn: arn:aws:iam::111122223333:role/b\n",
    "- rolearn: arn:aws:iam::111122223333:role/a\n  username: a\n   \n\n\n",
];

#[test]
fn a_row_is_added_and_no_other_byte_changes() {
    for text in TEXTS {
        let added = add_row(Some(text), &ours()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(see(Some(&added.text), OURS).unwrap().ours, [ours()], "{text:?}");
        let removed = remove_row(&added.text, OURS).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(removed.text, *text, "added: {:?}", added.text);
    }
}

#[test]
fn a_text_that_is_not_there_gets_one() {
    let added = add_row(None, &ours()).unwrap();
    assert_eq!(
        added.text,
        "- rolearn: arn:aws:iam::111122223333:role/KarpenterNodeRole-demo\n  username: system:node:{{EC2PrivateDNSName}}\n  groups:\n  - system:bootstrappers\n  - system:nodes\n"
    );
    assert_eq!(remove_row(&added.text, OURS).unwrap().text, "");
}

#[test]
fn the_style_of_the_list_is_kept() {
    let windows = add_row(Some("  - rolearn: arn:aws:iam::111122223333:role/a\r\n    username: a\r\n"), &ours()).unwrap().text;
    assert!(windows.ends_with("  - rolearn: arn:aws:iam::111122223333:role/KarpenterNodeRole-demo\r\n    username: system:node:{{EC2PrivateDNSName}}\r\n    groups:\r\n    - system:bootstrappers\r\n    - system:nodes\r\n"), "{windows:?}");
    let flow = add_row(Some("[{\"rolearn\": \"arn:aws:iam::111122223333:role/a\"}]"), &ours()).unwrap().text;
    assert!(flow.starts_with("[{\"rolearn\": \"arn:aws:iam::111122223333:role/a\"}, {\"rolearn\":\"arn"), "{flow}");
}

#[test]
fn malformed_rows_are_kept_and_told() {
    let text = "- just a string\n- rolearn: 5\n- username: nobody\n- rolearn: arn:aws:iam::111122223333:role/a\n  groups: x\n";
    let added = add_row(Some(text), &ours()).unwrap();
    assert!(added.text.starts_with(text));
    assert_eq!(
        added.malformed,
        [
            "row 1 of mapRoles in aws-auth is not a map",
            "row 2 of mapRoles in aws-auth has no rolearn",
            "row 3 of mapRoles in aws-auth has no rolearn",
            "row 4 of mapRoles in aws-auth has groups that are not a list of names",
        ]
    );
}

#[test]
fn our_row_is_removed_wherever_it_stands() {
    let other = |n: u32| format!("- rolearn: arn:aws:iam::111122223333:role/r{n}\n  username: r{n}\n");
    let mine = add_row(None, &ours()).unwrap().text;
    for (text, left) in [
        (format!("{mine}# about r1\n{}", other(1)), format!("# about r1\n{}", other(1))),
        (format!("{}{mine}{}", other(1), other(2)), format!("{}{}", other(1), other(2))),
        (format!("{}{mine}\n\n{mine}{}", other(1), other(2)), format!("{}\n\n{}", other(1), other(2))),
        (format!("[{}, {{rolearn: x}}]", serde_json::json!(ours())), "[ {rolearn: x}]".to_owned()),
        (format!("[{{rolearn: x}}, {}, {{rolearn: y}}]", serde_json::json!(ours())), "[{rolearn: x}, {rolearn: y}]".to_owned()),
    ] {
        assert_eq!(remove_row(&text, OURS).unwrap().text, left, "{text:?}");
    }
}

#[test]
fn a_row_is_known_as_the_authenticator_knows_it() {
    let text = "- rolearn: ARN:aws:iam::111122223333:role/karpenternoderole-DEMO\n  username: x\n";
    assert_eq!(see(Some(text), OURS).unwrap().ours.len(), 1);
    assert_eq!(see(Some(text), "arn:aws:iam::111122223333:role/KarpenterNodeRole-dem").unwrap().ours.len(), 0);
}

#[test]
fn what_cannot_be_edited_safely_is_refused() {
    for text in [
        "rolearn: x\n",
        "- a: \"unclosed\n",
        "- a\n- [b\n",
        "just text",
        "&all\n- rolearn: x\n",
        "- rolearn: x\n...\n",
        "[{rolearn: x} # comment\n]",
    ] {
        let error = add_row(Some(text), &ours()).map(|edit| edit.text).unwrap_err();
        assert_eq!(error.kind, crate::error::ErrorKind::Refused, "{text:?}");
        assert!(error.message.contains("aws-auth"), "{error}");
        assert!(error.hints[0].contains("kubectl"), "{error}");
    }
}

fn block_row() -> impl Strategy<Value = String> {
    let key = prop_oneof![Just("rolearn"), Just("username"), Just("\"rolearn\""), Just("extra")];
    let value = prop_oneof![
        "[a-z][a-z0-9:/]{0,12}",
        "[a-z]{1,6} # [a-z -]{0,8}",
        Just("'it''s: - odd'".to_owned()),
        Just("\"a \\\" b\"".to_owned()),
        Just("{a: [b, c]}".to_owned()),
        Just("\n    - x\n    - y".to_owned()),
        Just("|\n    - text\n\n    # text".to_owned()),
    ];
    prop::collection::vec((key, value), 1..4).prop_map(|fields| {
        let mut fields: Vec<(&str, String)> = fields;
        fields.dedup_by_key(|(key, _)| *key);
        let lines: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        format!("- {}", lines.join("  "))
    })
}

fn between() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("\n".to_owned()), Just("# - not a row\n".to_owned()), Just("   # deep\n".to_owned())]
}

proptest! {
    #[test]
    fn add_then_remove_gives_back_every_byte(
        rows in prop::collection::vec((block_row(), between()), 0..5),
        indent in 0_usize..4,
        crlf: bool,
        cut: bool,
    ) {
        let pad = " ".repeat(indent);
        let mut text: String = rows.iter().flat_map(|(row, gap)| [row.as_str(), gap.as_str()]).collect::<String>()
            .split_inclusive('\n').map(|line| if line == "\n" { line.to_owned() } else { format!("{pad}{line}") }).collect();
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if cut && text.ends_with('\n') {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        // What no YAML parser takes is refused, never edited.
        if let Ok(added) = add_row(Some(&text), &ours()) {
            prop_assert!(added.text.starts_with(&text));
            prop_assert_eq!(&see(Some(&added.text), OURS).unwrap().ours, &[ours()]);
            prop_assert_eq!(remove_row(&added.text, OURS).unwrap().text, text);
        } else {
            prop_assert!(parse(&text).is_err(), "refused although it is a list: {:?}", text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-\\[\\]{}'\":,#a \n\t|>&*]{0,40}") {
        if let Ok(added) = add_row(Some(&text), &ours()) {
            prop_assert_eq!(&see(Some(&added.text), OURS).unwrap().ours, &[ours()]);
            let removed = remove_row(&added.text, OURS);
            if let Ok(removed) = removed {
                prop_assert_eq!(removed.text, text);
            }
        }
    }

    #[test]
    fn flow_lists_too(names in prop::collection::vec("[a-z]{1,5}", 0..4), trailing: bool, spaces in 0_usize..3, newline: bool) {
        let gap = if newline { "\n  ".to_owned() } else { " ".repeat(spaces) };
        let rows: Vec<String> = names.iter().map(|n| format!("{gap}{{\"rolearn\": \"{n}\", \"groups\": [\"a,b\", \"]\"]}}")).collect();
        let comma = if trailing && !rows.is_empty() { "," } else { "" };
        let text = format!("[{}{comma}{gap}]\n", rows.join(","));
        let added = add_row(Some(&text), &ours()).unwrap();
        prop_assert_eq!(&see(Some(&added.text), OURS).unwrap().ours, &[ours()]);
        prop_assert_eq!(remove_row(&added.text, OURS).unwrap().text, text);
    }
}
