//! A kubeconfig that leads to another cluster than the one that is meant: the real aws writes it, and writes it anew as the doctor prints.

use super::stage;
use super::ward::Ward;
use serde_json::Value;

const CHECK: &str = "kubeconfig-cluster";

#[test]
fn a_context_that_leads_elsewhere_is_mended_as_printed() {
    let Some(stage) = stage("anew") else { return };
    let own = stage.lab().ready.kubeconfig.to_str().unwrap().to_owned();
    let still_to_be_made = stage.karpctl(&["bootstrap", "--yes", "--kubeconfig", &own]).exits(4);
    still_to_be_made.says("no kubeconfig leads to the cluster anew, which is still to be made");
    stage.existing("1.34", "API");
    let file = stage.dir().join("kubeconfig").to_str().unwrap().to_owned();
    let ward = Ward::new(stage, &["--existing-cluster", "--karpenter-version", "1.14.1", "--kubeconfig", &file]);
    let cured = |result: &str, words: &str| {
        let found = ward.finds_with_each(CHECK, result, words);
        ward.cured(&found[0], &[0]);
        ward.run(&["kubectl", "--kubeconfig", &file, "get", "namespace", "default", "--request-timeout", "60s"]);
    };

    ward.aws_text(&["eks", "update-kubeconfig", "--name", "anew", "--kubeconfig", &file, "--alias", "work", "--user-alias", "me"]);
    ward.passes(CHECK);

    // The cluster was made anew, and the entry is of the one before. Its address is that of nobody.
    let endpoint = ward.aws(&["eks", "describe-cluster", "--name", "anew"])["cluster"]["endpoint"].as_str().unwrap().to_owned();
    let written = std::fs::read_to_string(&file).unwrap();
    let leads_to = |server: &str| std::fs::write(&file, written.replace(&endpoint, server)).unwrap();
    leads_to("https://FEDCBA9876543210.gr7.us-west-2.eks.invalid");
    cured("fail", "the entry is of a cluster of that name that is gone");
    let contexts = std::fs::read_to_string(&file).unwrap();
    assert!(contexts.contains("current-context: work"), "the context keeps its name: {contexts}");

    // However it is written, it is the same.
    leads_to(&format!("{}/", endpoint.to_uppercase().replacen("HTTPS", "https", 1)));
    ward.passes(CHECK);

    // Another cluster's context is left as it is, and one of this cluster's is made beside it.
    let other = written.replace(&endpoint, "https://0000000000000000.gr7.us-west-2.eks.invalid").replace("- anew\n", "- other\n");
    let arn = format!("arn:aws:eks:us-west-2:{}:cluster/", ward.lab().ready.account);
    let other = other.replace(&format!("{arn}anew"), &format!("{arn}other"));
    std::fs::write(&file, &other).unwrap();
    changes_nothing_elsewhere(&ward, &file);
    cured("warn", "the context is another cluster's");
    let both = std::fs::read_to_string(&file).unwrap();
    assert!(both.contains("name: work") && both.contains("https://0000000000000000.gr7.us-west-2.eks.invalid"), "{both}");

    // Where a tunnel ends does not show, unless the certificate must be the cluster's.
    leads_to("https://localhost:1");
    let said = ward.finds_with_each(CHECK, "skip", "begins on this machine");
    assert!(said.iter().all(|f| f["fixes"] == Value::Array(Vec::new())), "{said:#?}");
}

/// What would change a cluster is refused where the file leads to another one, and has sent nothing.
fn changes_nothing_elsewhere(ward: &Ward, file: &str) {
    let since = ward.requests().len();
    for words in [&["bootstrap", "--yes"][..], &["install", "--yes"], &["node-pool", "--yes"], &["destroy", "--yes"], &["verify"]] {
        let named = [words, &["--existing-cluster", "--kubeconfig", file]].concat();
        let ended = ward.karpctl(&named).exits(4).says(&format!("{file} leads to another cluster than anew"));
        ended.says("it leads to https://0000000000000000.gr7.us-west-2.eks.invalid, and").says("leave --kubeconfig and --context out");
    }
    let made: Vec<String> =
        ward.requests().drain(since..).filter(|r| ["Create", "Put", "Update", "Delete"].iter().any(|verb| r.contains(verb))).collect();
    assert!(made.is_empty(), "{made:?}");
}
