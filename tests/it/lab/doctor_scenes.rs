//! Where each check of the doctor is proved in the lab.

use std::path::Path;

/// Each check with the test in which its thing is broken for real, found, mended by what is printed, and found no more.
const SCENES: [(&str, &str); 68] = [
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
    ("iam-quotas", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("vcpu-quotas", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
    ("interruption-queue", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("ebs-key", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("secrets-key", "doctor_to_come::the_key_of_the_secrets_is_mended_as_printed"),
    ("cluster-state", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("kubernetes-support", "doctor_fit::versions_that_do_not_fit_are_mended_as_printed"),
    ("node-network", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("node-security-groups", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("private-endpoints", "doctor_fit::auto_mode_and_a_network_without_a_way_out_are_mended_as_printed"),
    ("node-group", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("oidc-issuer", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("agent-health", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("controller-association", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("controller-trust", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("one-identity", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("node-access", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("foreign-objects", "doctor_aws::what_is_broken_in_aws_is_found_and_mended_as_printed"),
    ("node-capacity", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("cluster-dns", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
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
    ("installed-fit", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("upgrade-hops", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("upgrade-defaults", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("upgrade-objects", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("crd-owner", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("crd-schema", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("crd-stored-versions", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("conversion-webhook", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("network-policies", "doctor_release::a_release_an_identity_and_an_image_are_mended_as_printed"),
    ("admission-webhooks", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("chart-values", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("chart-names", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("private-values", "doctor_fit::auto_mode_and_a_network_without_a_way_out_are_mended_as_printed"),
    ("stuck-deletions", "doctor_cluster::what_is_broken_is_found_and_mended_as_it_says"),
    ("helm-version", "doctor_fit::versions_that_do_not_fit_are_mended_as_printed"),
    ("eksctl-version", "doctor_to_come::a_new_account_is_made_ready_as_printed"),
];

#[test]
fn every_check_has_a_scene_in_the_lab() {
    let ids: Vec<&str> = karpctl::checks::all().iter().map(|check| check.id()).collect();
    let listed: Vec<&str> = SCENES.iter().map(|(id, _)| *id).collect();
    assert_eq!(listed, ids, "SCENES names every check once, in their order");
    for (id, scene) in SCENES {
        let (module, test) = scene.split_once("::").unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lab").join(format!("{module}.rs"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{scene}: {e}"));
        assert!(text.contains(&format!("#[test]\nfn {test}() {{")), "there is no test {scene}");
        assert!(text.contains(&format!("\"{id}\"")), "{scene} does not ask {id}");
    }
}
