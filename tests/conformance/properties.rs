//! What holds for every valid name, account, region, release and variant.

use super::{meaning, spec, yaml};
use karpctl::characters::acts;
use karpctl::knowledge::{NodePoolApi, Release};
use karpctl::render::{self, Document, Inputs, POLICY_SIZE};
use karpctl::spec::{Architecture, ControllerCapacity, Identity, NodeAccess, Partition, Region, Spec};
use proptest::prelude::*;
use serde_json::Value;

/// The longest template that CloudFormation takes in a request.
const TEMPLATE_SIZE: usize = 51_200;

prop_compose! {
    fn any_place()(
        release in 0..Release::all().len(),
        // Names that YAML reads as something else are as valid as any, and so are those that end as they should not.
        name in prop_oneof![
            4 => "[0-9A-Za-z][0-9A-Za-z_-]{0,99}",
            2 => "[0-9A-Za-z][0-9A-Za-z_-]{90,99}",
            1 => "[0-9]{1,100}",
            1 => "[0-9][0-9_]{0,9}",
            2 => "(on|off|null|yes|NO|y|N|1e3|0x1F|0o17|0b1|true|False|2026-11-24|1e1000|Null|a--|0-)",
        ],
        account in "[0-9]{12}",
        region in prop_oneof![
            Just("us-west-2"), Just("ap-southeast-4"), Just("cn-north-1"), Just("cn-northwest-1"), Just("us-gov-east-1"), Just("us-gov-west-1"),
        ],
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

/// Words of Kubernetes' grammar for names that YAML takes for something else, and others.
fn any_label() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]([a-z0-9-]{0,40}[a-z0-9])?",
        1 => "[0-9]{1,20}",
        1 => "(on|off|null|yes|no|y|n|1e3|0x1f|0o17|0b1|true|false|2026-11-24|1e1000|0-0)",
    ]
}

prop_compose! {
    /// Names and ids beside the cluster's: a place, and what is named in it.
    fn any_named_place()(
        place in any_place(),
        namespace in any_label(),
        pool in any_label(),
        subnets in proptest::collection::vec("subnet-([0-9a-f]{8}|[0-9a-f]{17})", 0..3),
        keys in proptest::array::uniform2(proptest::option::of("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")),
        version in proptest::option::of("v20[0-9]{6}"),
        repository in proptest::option::of("oci://[a-z0-9][a-z0-9.-]{0,20}[a-z0-9](:[1-9][0-9]{1,3})?/[a-z0-9][a-z0-9/._-]{0,20}[a-z0-9]"),
    ) -> Spec {
        let [kms_key, volume_key] = keys.map(|id| {
            Some(format!("arn:{}:kms:{}:{}:key/{}", place.partition, place.region, place.account_id, id?).parse().unwrap())
        });
        let mut out = Spec { namespace: namespace.parse().unwrap(), kms_key, ..place };
        out.subnets = subnets.iter().map(|id| id.parse().unwrap()).collect();
        out.node_pool.name = pool.parse().unwrap();
        out.node_pool.volume_key = volume_key;
        let alias = |version| format!("al2023@{version}").parse().unwrap();
        // Before v1 a node class names a family, and pins no image.
        out.node_pool.ami_alias = version.map(alias).filter(|_| out.release.features().node_pool_api == NodePoolApi::V1);
        if let Some(repository) = repository {
            out.chart.repository = repository;
        }
        out
    }
}

prop_compose! {
    fn any_spec()(
        place in any_named_place(),
        fargate in any::<bool>(),
        irsa in any::<bool>(),
        access in prop_oneof![Just(None), Just(Some(NodeAccess::AccessEntry)), Just(Some(NodeAccess::Both))],
        windows in any::<bool>(),
        private in any::<bool>(),
        zonal_shift in any::<Option<bool>>(),
        arm in any::<bool>(),
        tags in proptest::collection::btree_map("[A-Za-z][A-Za-z0-9 +=._:/@-]{0,20}", "(on|1e3|[A-Za-z0-9 +=._:/@-]{0,20})", 0..3),
        boundary in proptest::option::of("[A-Za-z0-9]{1,20}"),
    ) -> Spec {
        let features = place.release.features();
        let mut out = Spec {
            node_access: access,
            windows,
            private: private && (features.node_pool_api == NodePoolApi::V1Alpha5 || features.node_class_instance_profile),
            zonal_shift,
            tags,
            permissions_boundary: boundary.map(|name| format!("arn:{}:iam::{}:policy/{name}", place.partition, place.account_id).parse().unwrap()),
            ..place
        };
        if arm {
            out.node_pool.architectures = vec![Architecture::Amd64, Architecture::Arm64];
        }
        if irsa || fargate {
            out.identity = Identity::Irsa;
        }
        if fargate {
            out.capacity = ControllerCapacity::Fargate;
        }
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_spec_renders_within_the_limits(spec in any_spec()) {
        let stack = render::cloudformation(&spec).unwrap();
        prop_assert!(stack.len() <= TEMPLATE_SIZE, "{} bytes", stack.len());
        let means = meaning::of_template(&meaning::read(&stack), &spec);
        prop_assert_eq!(means["queues"].is_empty(), !spec.release.features().interruption_queue);
        let policies = render::controller_policies(&spec);
        for policy in &policies {
            prop_assert!(render::policy_size(&policy.document, &spec) <= POLICY_SIZE);
            prop_assert!(iam_name(&spec.controller_policy_name(&policy.part), 128));
        }
        prop_assert!(policies.len() <= 10, "{} policies for one role", policies.len());
        prop_assert!(iam_name(&spec.node_role_name(), 64) && iam_name(&spec.controller_role_name(), 64));
        prop_assert!(iam_name(&spec.instance_profile_name(), 128));
        let queue = spec.queue_name();
        prop_assert!((1..=80).contains(&queue.len()) && queue.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{}", queue);
        let stack_name = spec.stack_name();
        prop_assert!(stack_name.len() <= 128 && stack_name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}", stack_name);
        prop_assert!(spec.node_group_name().len() <= 63);
    }

    #[test]
    fn every_document_reads_back_the_same_everywhere(spec in any_spec()) {
        for document in Document::of(&spec.release) {
            let text = render::document(document, &spec, &inputs()).unwrap();
            prop_assert_eq!(&render::document(document, &spec, &inputs()).unwrap(), &text, "{} twice", document.id());
            let json = render::document_json(document, &spec, &inputs()).unwrap();
            // The reader refuses a plain scalar that other readers may take for something else.
            let read = yaml::read(&text);
            if document == Document::Cloudformation {
                prop_assert_eq!(meaning::of_template(&read[0], &spec), meaning::of_template(&json, &spec));
            } else if json["kind"] == "List" {
                prop_assert_eq!(Value::from(read), json["items"].clone(), "{}", document.id());
            } else {
                prop_assert_eq!(&read, &[json], "{}", document.id());
            }
        }
    }

    #[test]
    fn no_name_changes_the_structure(spec in any_spec(), text in any_text()) {
        let named = |text: &str| {
            let mut spec = spec.clone();
            // Tags have a grammar before they come here; that none of their texts could break a document is not left to that.
            spec.tags = [("karpctl.dev/test".to_owned(), text.to_owned())].into();
            spec.node_pool.capacity_types.clear();
            spec
        };
        let (harmless, odd) = (named("harmless"), named(&text));
        for document in Document::of(&spec.release) {
            let texts = [&harmless, &odd].map(|spec| render::document(document, spec, &inputs()).unwrap());
            prop_assert!(!texts[1].contains(acts), "{}: {:?}", document.id(), texts[1]);
            let [before, after] = texts.map(|text| yaml::read(&text));
            prop_assert_eq!(shape(&Value::from(before)), shape(&Value::from(after.clone())), "{}", document.id());
            if document == Document::ClusterConfig {
                prop_assert_eq!(&after[0]["metadata"]["tags"]["karpctl.dev/test"], &Value::from(text.as_str()));
            }
        }
    }

    #[test]
    fn documents_agree_on_names(spec in any_spec()) {
        let json = |document| render::document_json(document, &spec, &inputs()).unwrap();
        let name = Value::from(spec.cluster_name.as_str());
        let stack = json(Document::Cloudformation);
        let config = json(Document::ClusterConfig);
        prop_assert_eq!(&config["metadata"]["name"], &name);
        prop_assert_eq!(&config["metadata"]["tags"]["karpenter.sh/discovery"], &name);
        let role = &meaning::property(&stack, "KarpenterNodeRole", "RoleName", &spec);
        let arn = Value::from(format!("arn:{}:iam::{}:role/{}", spec.partition, spec.account_id, role.as_str().unwrap()));
        prop_assert_eq!(&json(Document::IdentityMapping)[0]["rolearn"], &arn);
        for found in [&config["iamIdentityMappings"][0]["arn"], &config["accessConfig"]["accessEntries"][0]["principalARN"]] {
            prop_assert!(found.is_null() || *found == arn, "{}", found);
        }
        let controller = match spec.identity {
            Identity::Irsa => &config["iam"]["serviceAccounts"][0]["attachPolicyARNs"],
            Identity::PodIdentity => &config["iam"]["podIdentityAssociations"][0]["permissionPolicyARNs"],
        };
        let controller = controller.as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(meaning::policy_arns(&stack, &spec), controller);
        let values = json(Document::HelmValues);
        prop_assert!(contains(&values, &name));
        if spec.release.features().queue_value {
            prop_assert!(contains(&values, &meaning::property(&stack, "KarpenterInterruptionQueue", "QueueName", &spec)));
        }
        let pool = json(Document::NodePool);
        prop_assert!(contains(&pool, &name));
        let class = &pool["items"][0]["spec"];
        prop_assert!(class.get("role").is_none_or(|found| found == role), "{}", class);
    }
}

/// What somebody may call something who means harm, or does not know what YAML, JSON, templates and terminals make of it.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "\n", "\n---\n", "\n  a: b", ": ", " #", "\"", "'", "\\", "{", "}", "[", "]", ", ", "- ", "| ", "> ", "& ", "* ", "!Sub ", "%", "@", "`", "\t",
            "\r\n", "{{ x }}", "{% x %}", "<<", "END\n", "\u{1b}[2J", "\u{7}", "\u{9b}1A", "\u{85}", "\u{2028}", "\u{202e}", "\u{2066}", "\u{feff}",
            "\u{7f}", "\0", "🚀",
        ]).prop_map(str::to_owned),
        1 => "[ -#%-~]{0,8}",
        1 => any::<char>().prop_filter("the reader of templates takes `$` for one that was forgotten", |c| *c != '$').prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// A document without its texts.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), shape(field))).collect(),
        Value::String(_) => Value::Null,
        other => other.clone(),
    }
}

/// As many cases as a run of all tests can take; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

fn inputs() -> Inputs {
    Inputs { cluster_endpoint: Some("https://api".into()), ..Inputs::default() }
}

/// IAM API reference, `CreateRole`, `CreatePolicy`, `CreateInstanceProfile`.
fn iam_name(name: &str, longest: usize) -> bool {
    (1..=longest).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| contains(item, wanted)),
        Value::Object(fields) => fields.values().any(|field| contains(field, wanted)),
        scalar => scalar == wanted,
    }
}
