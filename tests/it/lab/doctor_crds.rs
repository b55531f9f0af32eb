//! The CRDs of official releases, as their Go modules have them, on a real API server: each is known for what it is, and those of another
//! release than the wanted one are replaced as the doctor prints.

use super::stage;
use super::ward::Ward;
use karpctl::knowledge::Release;
use std::path::PathBuf;

const CHECK: &str = "crd-schema";
const NEWEST: &str = "1.14.1";

/// The folders of CRDs, oldest first; of those releases the lab has no chart, but for the first and the last.
fn official(ward: &Ward) -> Vec<(Release, PathBuf)> {
    let folder = PathBuf::from(&ward.lab().ready.env["KARPCTL_LAB_CACHE"]).join("official");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut all: Vec<(Release, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let version = path.file_name()?.to_str()?.strip_prefix("karpenter-provider-aws@")?.parse().ok()?;
            Some((version, path.join("crds")))
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn the_crds_of_official_releases_are_known_for_what_they_are() {
    let Some(stage) = stage("crds") else { return };
    stage.existing("1.34", "API");
    let ward = Ward::new(stage, &["--existing-cluster"]);
    let all = official(&ward);
    assert!(all.len() >= 6, "{all:?}");
    let ask = |release: &Release| ward.with(&["--karpenter-version", &release.to_string()]).ask(CHECK)[0].clone();
    let newest: Release = NEWEST.parse().unwrap();
    for (release, folder) in &all {
        let apply = ["kubectl", "apply", "--server-side", "--force-conflicts", "--filename", folder.to_str().unwrap()];
        ward.run(&apply);
        let own = ask(release);
        assert_eq!(own["result"], "pass", "Karpenter {release}: {own:#}");
        if *release == newest {
            continue;
        }
        let wrong = ask(&newest);
        assert_eq!(wrong["result"], "fail", "the CRDs of {release}: {wrong:#}");
        // Each CRD that is another is said to be of a span of releases, and this one is in it.
        for said in wrong["message"].as_str().unwrap().split("; ") {
            let span = said.split_once(" is of Karpenter ").unwrap_or_else(|| panic!("the CRDs of {release}: {said}")).1;
            let (first, last) = span.split_once(" to ").unwrap_or((span, span));
            let (first, last): (Release, Release) = (first.parse().unwrap(), last.parse().unwrap());
            assert!(first <= *release && *release <= last, "the CRDs of {release}: {said}");
        }
    }
    // Those of the release before the newest that has others, replaced by the printed cures: first their owner, because kubectl made them.
    let (_, folder) = &all[all.len() - 2];
    ward.run(&["kubectl", "apply", "--server-side", "--force-conflicts", "--filename", folder.to_str().unwrap()]);
    let ward = ward.with(&["--karpenter-version", NEWEST]);
    let found = ward.finds("crd-owner", "fail", "of no helm release");
    ward.cured(&found, &[0, 1]);
    let found = ward.finds(CHECK, "fail", "is of Karpenter ");
    ward.cured(&found, &[0]);
}
