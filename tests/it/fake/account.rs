//! The account that a test begins with, and what it puts there.

use super::aws::by_name_or_id;
use super::{FakeStack, FakeWorld, Inside};
use karpctl::facts::{ClusterFacts, RouteTableFacts, StackFacts, SubnetFacts};
use karpctl::ports::{ChangeStack, StackEvent, Tags};
use std::collections::{BTreeMap, VecDeque};

/// The cluster's security group.
pub(crate) const GROUP: &str = "sg-0123456789abcdef0";
/// The issuer of the cluster's tokens.
pub(crate) const ISSUER: &str = "https://oidc.eks.us-west-2.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";

/// An account with a network: a private and a public subnet, and a security group.
pub(super) fn account() -> Inside {
    let subnet = |id: &str, zone: &str, public| SubnetFacts {
        id: id.to_owned(),
        zone: zone.into(),
        zone_id: zone.replace("us-west-2a", "usw2-az1").replace("us-west-2b", "usw2-az2"),
        vpc_id: "vpc-1".into(),
        free_addresses: 100,
        gives_address: public,
        tags: Tags::new(),
    };
    let table = |id: &str, main, subnets: &[&str], to_internet_gateway| RouteTableFacts {
        id: id.to_owned(),
        main,
        subnets: subnets.iter().map(ToString::to_string).collect(),
        leads_out: true,
        leads_elsewhere: false,
        to_internet_gateway,
    };
    Inside {
        subnets: vec![subnet("subnet-0000000a", "us-west-2a", false), subnet("subnet-0000000b", "us-west-2b", true)],
        route_tables: vec![table("rtb-1", true, &[], false), table("rtb-2", false, &["subnet-0000000b"], true)],
        dns_hostnames: true,
        security_groups: BTreeMap::from([(GROUP.to_owned(), Tags::new())]),
        ami_name: Some("amazon-eks-node-al2023-x86_64-standard-1.34-v20260101".into()),
        ..Inside::default()
    }
}

/// The names of what has any of these tags.
pub(super) fn tagged(all: &BTreeMap<String, Tags>, any_of: &[(String, String)]) -> Vec<String> {
    all.iter().filter(|(_, tags)| any_of.iter().any(|(k, v)| tags.get(k) == Some(v))).map(|(name, _)| name.clone()).collect()
}

impl FakeWorld {
    /// A stack in this state, with these states to follow.
    pub(crate) fn set_stack(&self, name: &str, status: &str, next: &[&str], tags: Tags) {
        let facts = StackFacts {
            id: format!("arn:aws:cloudformation:us-west-2:111122223333:stack/{name}/1"),
            status: status.into(),
            status_reason: None,
            template: Some("Description: another\n".into()),
            parameters: BTreeMap::new(),
            tags,
            protected: false,
            resources: BTreeMap::new(),
        };
        let next = next.iter().map(ToString::to_string).collect();
        self.inside().stacks.insert(name.to_owned(), FakeStack { facts, events: Vec::new(), next });
    }

    /// An active cluster with these tags.
    pub(crate) fn active_cluster(&self, tags: Tags) -> ClusterFacts {
        ClusterFacts {
            status: "ACTIVE".into(),
            version: self.spec.kubernetes,
            authentication_mode: "API_AND_CONFIG_MAP".into(),
            endpoint: Some("https://0123456789ABCDEF.gr7.us-west-2.eks.amazonaws.com".into()),
            certificate_authority: Some("Y2E=".into()),
            oidc_issuer: Some(ISSUER.into()),
            vpc_id: Some("vpc-1".into()),
            subnet_ids: vec!["subnet-0000000a".into(), "subnet-0000000b".into()],
            cluster_security_group_id: Some(GROUP.into()),
            tags,
            auto_mode: false,
            deletion_protection: false,
            standard_support_only: false,
            zonal_shift: self.spec.zonal_shift == Some(true),
            public_endpoint: true,
            private_endpoint: false,
            public_ranges: vec!["0.0.0.0/0".into()],
            secrets_key: None,
            ip_family: self.spec.ip_family,
            issues: Vec::new(),
        }
    }

    pub(super) fn change_stack(&self, change: &ChangeStack, verb: &str) {
        let mut inside = self.inside();
        let fails = inside.stack_fails.take();
        inside.stacks_made += u32::from(verb == "CREATE");
        let id = inside.stack_id(&change.name);
        let old = inside.stacks.get(by_name_or_id(&change.name)).cloned();
        let mut next: VecDeque<String> = VecDeque::new();
        let mut events = old.as_ref().map(|o| o.events.clone()).unwrap_or_default();
        let event = |number: usize, status: &str, reason: Option<&str>| StackEvent {
            id: format!("event-{number}"),
            logical_id: "KarpenterNodeRole".into(),
            kind: "AWS::IAM::Role".into(),
            status: status.into(),
            reason: reason.map(str::to_owned),
        };
        events.push(event(events.len(), &format!("{verb}_IN_PROGRESS"), None));
        match fails {
            None => {
                events.push(event(events.len(), &format!("{verb}_COMPLETE"), None));
                next.push_back(format!("{verb}_COMPLETE"));
            }
            Some(reason) => {
                events.push(event(events.len(), &format!("{verb}_FAILED"), Some(reason)));
                let rollback = if verb == "CREATE" { "ROLLBACK" } else { "UPDATE_ROLLBACK" };
                next.extend([format!("{rollback}_IN_PROGRESS"), format!("{rollback}_COMPLETE")]);
            }
        }
        let wanted = StackFacts {
            id,
            status: String::new(),
            status_reason: None,
            template: Some(change.template.clone()),
            parameters: change.parameters.clone(),
            tags: change.tags.clone(),
            protected: false,
            resources: BTreeMap::new(),
        };
        // An update that fails leaves what was there.
        let kept = old.map(|o| o.facts).filter(|_| verb == "UPDATE" && fails.is_some());
        let facts = StackFacts { status: format!("{verb}_IN_PROGRESS"), status_reason: None, ..kept.unwrap_or(wanted) };
        inside.stacks.insert(by_name_or_id(&change.name).to_owned(), FakeStack { facts, events, next });
    }

    /// Changes the tags of these.
    pub(super) fn each_tagged(&self, ids: &[String], change: impl Fn(&mut Tags)) {
        let mut inside = self.inside();
        inside.subnets.iter_mut().filter(|s| ids.contains(&s.id)).for_each(|s| change(&mut s.tags));
        inside.security_groups.iter_mut().filter(|(id, _)| ids.contains(id)).for_each(|(_, tags)| change(tags));
    }
}
