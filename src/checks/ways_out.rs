//! The subnets that nodes are launched into, and the ways out of their VPC.

use super::class_selection::{Selected, own_selections};
use super::judgement::{installed, read};
use super::neighbours::karpenters;
use super::{Judgement, Situation};
use crate::facts::{EndpointFacts, Facts, RouteTableFacts};
use crate::spec::Spec;
use std::collections::BTreeSet;

/// A subnet that nodes will be launched into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UsedSubnet<'f> {
    pub(super) id: &'f str,
    pub(super) zone: &'f str,
}

/// The subnets that nodes will be launched into: those that node classes found by selectors of their own, else those of the discovery tag,
/// else those that will be tagged.
pub(super) fn used_subnets<'f>(spec: &Spec, facts: &'f Facts, subject: &str) -> Result<Vec<UsedSubnet<'f>>, Judgement> {
    if let Some(classes) = own_selections(spec, facts, Selected::Subnets) {
        let found = classes.iter().filter_map(|(_, selection)| selection.subnets.as_ref()).flatten();
        let found: BTreeSet<UsedSubnet<'_>> = found.map(|subnet| UsedSubnet { id: &subnet.id, zone: &subnet.zone }).collect();
        return Ok(found.into_iter().collect());
    }
    let used = match read(subject, &facts.selection)?.map(|selection| &selection.subnets).filter(|subnets| !subnets.is_empty()) {
        Some(selected) => selected.iter().collect(),
        None => read(subject, &facts.network)?
            .map(|network| network.for_nodes(!spec.subnets.is_empty(), facts.routes.known().map(Vec::as_slice)))
            .unwrap_or_default(),
    };
    Ok(used.into_iter().map(|subnet| UsedSubnet { id: &subnet.id, zone: &subnet.zone }).collect())
}

/// The ways out of the cluster's VPC.
#[derive(Clone, Copy)]
pub(super) struct Ways<'f> {
    routes: &'f [RouteTableFacts],
    pub(super) endpoints: &'f [EndpointFacts],
}

/// The ways out, where both routes and endpoints could be read.
pub(super) fn ways<'f>(subject: &str, facts: &'f Facts) -> Result<Ways<'f>, Judgement> {
    match (read(subject, &facts.routes)?, read(subject, &facts.endpoints)?) {
        (Some(routes), Some(endpoints)) => Ok(Ways { routes, endpoints }),
        _ => Err(Judgement::skip(subject, "the ways out of the VPC were not looked at")),
    }
}

impl<'f> Ways<'f> {
    /// Whether a route of this subnet leads out of the VPC.
    pub(super) fn lead_out(self, subnet: &str) -> bool {
        self.table_of(subnet).is_some_and(|table| table.leads_out)
    }

    /// Whether any route of the VPC leads out of it.
    pub(super) fn lead_out_anywhere(self) -> bool {
        self.routes.iter().any(|table| table.leads_out)
    }

    /// The route table of a subnet.
    pub(super) fn table_of(self, subnet: &str) -> Option<&'f RouteTableFacts> {
        RouteTableFacts::of_subnet(self.routes, subnet)
    }

    /// The endpoints of a service that work.
    pub(super) fn to(self, service: &str) -> impl Iterator<Item = &'f EndpointFacts> {
        self.endpoints.iter().filter(move |endpoint| endpoint.service == service && endpoint.state == "available")
    }

    /// Whether an endpoint of a service is being made.
    pub(super) fn await_one(self, service: &str) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.service == service && endpoint.state == "pending")
    }

    /// Whether a service has an endpoint in the VPC that works.
    pub(super) fn has(self, service: &str) -> bool {
        self.to(service).next().is_some()
    }
}

/// What speaks for a way to AWS's services that routes and endpoints of this VPC do not show.
pub(super) fn other_way(situation: &Situation<'_>, ways: Ways<'_>, subnets: &[UsedSubnet<'_>]) -> Option<&'static str> {
    // It ends with its first call of EC2 where there is no way.
    let works = situation.facts.neighbours.known().is_some_and(|n| karpenters(n).any(|w| w.ready > 0));
    told_way(situation, ways, subnets)
        .or_else(|| (works && !ways.has("ec2")).then_some("a Karpenter is ready, which it is by a way to EC2 only"))
}

/// The same, without what a Karpenter shows that may run in any subnet.
pub(super) fn told_way(situation: &Situation<'_>, ways: Ways<'_>, subnets: &[UsedSubnet<'_>]) -> Option<&'static str> {
    if subnets.iter().any(|s| ways.table_of(s.id).is_some_and(|table| table.leads_elsewhere)) {
        return Some("a route leads to another network, which may have them");
    }
    let live = situation.facts.chart_release.known().filter(|release| installed(release));
    let given = [live.map(|release| &release.values["controller"]), situation.spec.and_then(|spec| spec.chart.values.get("controller"))];
    let env = given.into_iter().flatten().filter_map(|controller| controller["env"].as_array()).flatten();
    let is_proxy = |name: &str| name.eq_ignore_ascii_case("HTTPS_PROXY");
    env.filter_map(|variable| variable["name"].as_str()).any(is_proxy).then_some("the controller is told a proxy")
}
