//! Where each check of the doctor is proved in the lab.

use std::path::Path;

/// Each check with the test in which its thing is broken for real, found, mended by what is printed, and found no more.
const SCENES: &[(&str, &str)] = &[
    ("exec-kubeconfig", "doctor_desk::a_kubeconfig_and_the_programs_beside_it_are_mended_as_printed"),
    ("exec-credentials", "doctor_fit::credentials_beside_the_plugin_and_a_kubectl_that_may_not_run_it"),
    ("exec-api-version", "stale_kubeconfig::helm_never_depends_on_the_persons_kubeconfig"),
    ("exec-interactive-mode", "stale_kubeconfig::helm_never_depends_on_the_persons_kubeconfig"),
    ("exec-command", "doctor_desk::a_kubeconfig_and_the_programs_beside_it_are_mended_as_printed"),
    ("exec-plugin-policy", "doctor_fit::credentials_beside_the_plugin_and_a_kubectl_that_may_not_run_it"),
    ("exec-answer", "stale_kubeconfig::helm_never_depends_on_the_persons_kubeconfig"),
    ("kubeconfig-readable", "doctor_desk::a_kubeconfig_and_the_programs_beside_it_are_mended_as_printed"),
    ("kubeconfig-profile", "doctor_desk::a_kubeconfig_and_the_programs_beside_it_are_mended_as_printed"),
    ("kubeconfig-cluster", "doctor_kubeconfig::a_context_that_leads_elsewhere_is_mended_as_printed"),
    ("client-shadowed", "doctor_desk::a_kubeconfig_and_the_programs_beside_it_are_mended_as_printed"),
    ("tool-programs", "doctor_desk::a_kubeconfig_and_the_programs_beside_it_are_mended_as_printed"),
    ("registry-login", "doctor_machine::a_clock_a_login_and_a_tag_are_told_before_they_break_anything"),
    ("clock-skew", "doctor_machine::a_clock_a_login_and_a_tag_are_told_before_they_break_anything"),
    ("aws-credentials", "doctor_desk::credentials_permissions_and_the_spot_role_are_mended_as_printed"),
    ("aws-partition", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("caller-permissions", "doctor_desk::credentials_permissions_and_the_spot_role_are_mended_as_printed"),
    ("spot-role", "doctor_desk::credentials_permissions_and_the_spot_role_are_mended_as_printed"),
    ("names-and-sizes", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("stack-state", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("earlier-cluster", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("controller-permissions", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("node-policies", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("node-trust", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("iam-quotas", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("vcpu-quotas", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("network-quotas", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("cluster-quotas", "doctor_to_come::a_full_account_gets_room_for_a_cluster_as_printed"),
    ("interruption-queue", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("ebs-key", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("secrets-key", "doctor_to_come::the_key_of_the_secrets_is_mended_as_printed"),
    ("cluster-state", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("cluster-entry", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("kubernetes-support", "doctor_fit::versions_that_do_not_fit_are_mended_as_printed"),
    ("node-network", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("node-security-groups", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("vpc-dns", "doctor_fit::auto_mode_and_a_network_without_a_way_out_are_mended_as_printed"),
    ("private-endpoints", "doctor_fit::auto_mode_and_a_network_without_a_way_out_are_mended_as_printed"),
    ("private-vpc", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("own-vpc", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("node-group", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("oidc-issuer", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("agent-health", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("controller-association", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("controller-trust", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("one-identity", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("node-access", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("windows-ipam", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("foreign-objects", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("node-capacity", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("cluster-dns", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("node-addons", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("custom-networking", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("webhook-endpoints", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("admission-policies", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("other-karpenter", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("cluster-autoscaler", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("termination-handler", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("karpenter-release", "doctor_fit::versions_that_do_not_fit_are_mended_as_printed"),
    ("chart-tag", "doctor_machine::a_clock_a_login_and_a_tag_are_told_before_they_break_anything"),
    ("kubernetes-fit", "doctor_fit::versions_that_do_not_fit_are_mended_as_printed"),
    ("kubernetes-offered", "doctor_fit::versions_that_do_not_fit_are_mended_as_printed"),
    ("ami-alias", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("auto-mode", "doctor_fit::auto_mode_and_a_network_without_a_way_out_are_mended_as_printed"),
    ("auto-mode-api", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("zonal-shift", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("installed-fit", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("controller-image", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("upgrade-hops", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("upgrade-defaults", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("upgrade-objects", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("crd-owner", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("crd-schema", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("crd-stored-versions", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("conversion-webhook", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("webhook-reach", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("network-policies", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("admission-webhooks", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("chart-values", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("chart-names", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("private-values", "doctor_fit::auto_mode_and_a_network_without_a_way_out_are_mended_as_printed"),
    ("stuck-deletions", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("helm-version", "doctor_fit::versions_that_do_not_fit_are_mended_as_printed"),
    ("eksctl-version", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
];

/// The checks that a scene asks through something else than a ward, or several in a row: the text by which it does.
const ASKED_OTHERWISE: [(&str, &str); 6] = [
    ("exec-api-version", r#"(Some("exec-api-version"), Some(10))"#),
    ("exec-interactive-mode", r#"says_what_helm_says(&stage, &helm("3.8.1"), &silent, "exec-interactive-mode""#),
    ("exec-answer", r#"says_what_helm_says(&stage, &helm("3.17.3"), &other, "exec-answer""#),
    ("other-karpenter", r#"("other-karpenter", "fail", "Deployment", "karpenter""#),
    ("cluster-autoscaler", r#"("cluster-autoscaler", "warn", "Deployment""#),
    ("termination-handler", r#"("termination-handler", "warn", "DaemonSet""#),
];

/// The checks of which no cure is a command that is run as it is printed, and what their scene does in its place.
const BY_HAND: &[(&str, &str)] = &[
    ("aws-credentials", "how one logs in is the organisation's: the next request has credentials that hold"),
    ("node-group", "the launch template is the person's: another version of it, or a group with one, is made"),
];

/// The parts of a scene in which a check is asked for what is wrong, each until the next check is asked.
fn asked<'t>(text: &'t str, check: &str) -> Vec<&'t str> {
    let verbs = [".finds(", ".finds_with_each(", ".bad(", ".ask("];
    let mut starts: Vec<usize> = verbs.iter().flat_map(|verb| text.match_indices(verb).map(|(at, _)| at)).collect();
    starts.sort_unstable();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let parts = starts.iter().zip(ends).filter(|(start, end)| {
        let named = text[**start..*end].split_once('(').unwrap().1.trim_start();
        // Where a scene asks one check several times, it has its name in a variable.
        let by_name = |declared: &str| {
            let last = text[..**start].rsplit_once(declared).map(|(_, name)| name.split('"').next().unwrap_or_default());
            last == Some(check)
        };
        named.starts_with(&format!("\"{check}\""))
            || named.starts_with("check") && by_name("check = \"")
            || named.starts_with("CHECK") && by_name("CHECK: &str = \"")
    });
    parts.map(|(start, end)| &text[*start..end]).collect()
}

#[test]
fn every_check_has_a_scene_in_the_lab() {
    let ids: Vec<&str> = karpctl::checks::all().iter().map(|check| check.id()).collect();
    let listed: Vec<&str> = SCENES.iter().map(|(id, _)| *id).collect();
    assert_eq!(listed, ids, "SCENES names every check once, in their order");
    for &(id, scene) in SCENES {
        let (module, test) = scene.split_once("::").unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lab").join(format!("{module}.rs"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{scene}: {e}"));
        assert!(text.contains(&format!("#[test]\nfn {test}() {{")), "there is no test {scene}");
        if let Some((_, asks)) = ASKED_OTHERWISE.iter().find(|(of, _)| *of == id) {
            assert!(text.contains(asks), "{scene} does not ask {id}");
            continue;
        }
        let asked = asked(&text, id);
        assert!(!asked.is_empty(), "{scene} does not ask {id}");
        let by_hand = BY_HAND.iter().any(|(of, _)| *of == id);
        let runs = |part: &&str| ["cured(", ".cure(", "taking("].iter().any(|cure| part.contains(cure));
        assert_eq!(!by_hand, asked.iter().any(runs), "{scene}: whether a cure of {id} is run as it is printed");
    }
}
