//! What holds for every valid name, account and region.

use super::{meaning, spec};
use karpctl::knowledge::Release;
use karpctl::render::{self, Document, Inputs, POLICY_SIZE};
use karpctl::spec::{Partition, Region, Spec};
use proptest::prelude::*;
use serde_json::Value;

/// The longest template that CloudFormation takes in a request.
const TEMPLATE_SIZE: usize = 51_200;

prop_compose! {
    fn any_spec()(
        release in 0..Release::all().len(),
        // Names that YAML reads as something else are as valid as any.
        name in prop_oneof!["[0-9A-Za-z][0-9A-Za-z_-]{0,99}", "[0-9]{1,12}", "(on|off|null|yes|NO|1e3|0x1F|true)"],
        account in "[0-9]{12}",
        region in prop_oneof![Just("us-west-2"), Just("ap-southeast-4"), Just("cn-northwest-1"), Just("us-gov-east-1")],
    ) -> Spec {
        let region: Region = region.parse().unwrap();
        Spec {
            cluster_name: name.parse().unwrap(),
            account_id: account.parse().unwrap(),
            partition: Partition::of_region(&region),
            region,
            ..spec(&Release::all()[release].to_string())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_spec_renders_within_the_limits(spec in any_spec()) {
        let name = Value::from(spec.cluster_name.as_str());
        let stack = render::cloudformation(&spec).unwrap();
        prop_assert!(stack.len() <= TEMPLATE_SIZE, "{} bytes", stack.len());
        let means = meaning::of_template(&meaning::read(&stack), &spec);
        prop_assert_eq!(means["queues"].is_empty(), !spec.release.features().interruption_queue);
        for policy in render::controller_policies(&spec) {
            prop_assert!(render::policy_size(&policy.document, &spec) <= POLICY_SIZE);
        }
        prop_assert!(render::controller_policy_arns(&spec).len() <= 10);
        let inputs = Inputs { cluster_endpoint: Some("https://api".into()), ..Inputs::default() };
        prop_assert_eq!(render::cloudformation(&spec).unwrap(), stack);
        for document in Document::of(&spec.release).filter(|document| *document != Document::Cloudformation) {
            let json = render::document_json(document, &spec, &inputs).unwrap();
            match document {
                Document::ClusterConfig => {
                    prop_assert_eq!(&json["metadata"]["name"], &name);
                    prop_assert_eq!(&json["metadata"]["tags"]["karpenter.sh/discovery"], &name);
                }
                Document::HelmValues => prop_assert!(contains(&json, &name)),
                Document::NodePool => prop_assert!(contains(&json, &name)),
                _ => {}
            }
        }
    }
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| contains(item, wanted)),
        Value::Object(fields) => fields.values().any(|field| contains(field, wanted)),
        scalar => scalar == wanted,
    }
}
