//! Karpenter's custom resource definitions, by the chart karpenter-crd.

use super::helm_release::{
    HalfInstalled, How, Wanted, changes, install, install_commands, is_there, mend, of_somebody_else, uninstall, uninstall_commands,
};
use super::hops::may_hop;
use super::looked::{Refusal, drifted_or_present, foreign, looked, looked_for_removal};
use super::{Step, StepContext};
use crate::error::{Error, Result};
use crate::facts::{Facts, Topic};
use crate::knowledge::{CHART, CRD_CHART, WEBHOOK_PORT};
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::Kube;
use crate::probe::release::{crd_ref, helm_owner};
use crate::render;
use crate::spec::{ClusterMode, Spec};
use async_trait::async_trait;
use serde_json::{Value, json};

/// See the module.
pub(super) struct Crds;

#[async_trait]
impl Step for Crds {
    fn id(&self) -> StepId {
        StepId::Crds
    }

    fn title(&self, spec: &Spec) -> String {
        if !spec.release.features().crd_chart {
            return format!("custom resource definitions of Karpenter {}", spec.release);
        }
        format!("chart {CRD_CHART} {}", spec.release)
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        // An upgrade's CRDs come after the permissions, as Karpenter's guide has it: what fails before leaves the controller that runs with its own.
        vec![StepId::Stack, StepId::Cluster, StepId::ControllerRole]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Crds, Topic::Chart, Topic::ObjectsAtStake]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        &[
            Topic::Crds,
            Topic::Chart,
            Topic::Controller,
            Topic::ObjectsAtStake,
            Topic::Association,
            Topic::StackStatus,
            Topic::ControllerRole,
        ]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        6
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if !spec.release.features().crd_chart {
            return State::NotWanted;
        }
        judge(spec, facts).unwrap_or_else(|state| state)
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        if let Some(refusal) = of_somebody_else(spec, facts) {
            return refusal.into();
        }
        if facts.cluster.known().is_some_and(|cluster| cluster.auto_mode) {
            return with_auto_mode(spec);
        }
        match looked_for_removal(&facts.crd_release, facts) {
            Ok(Some(found)) if is_there(found) => State::Present,
            // The main chart brought them, and helm leaves what lies in a chart's crds/ behind.
            Ok(_) if !spec.release.features().crd_chart => match looked_for_removal(&facts.crds, facts) {
                Ok(Some(crds)) if spec.release.features().crds.iter().any(|name| crds.contains_key(name)) => State::Present,
                Ok(_) => State::Absent,
                Err(state) => state,
            },
            Ok(_) => State::Absent,
            Err(state) => state,
        }
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let features = spec.release.features();
        let webhook = if features.conversion_webhook {
            format!(
                " --set webhook.enabled=true --set webhook.serviceName={CHART} --set-string webhook.serviceNamespace={} --set webhook.port={WEBHOOK_PORT}",
                spec.namespace
            )
        } else {
            String::new()
        };
        match direction {
            Direction::Apply => {
                let release = (CRD_CHART, &facts.crd_release);
                install_commands(spec, release, &spec.crd_chart_reference(), spec.chart.crd_digest.as_ref(), &webhook)
            }
            Direction::Remove if features.crd_chart => uninstall_commands(spec, CRD_CHART),
            Direction::Remove => vec![format!("kubectl delete customresourcedefinitions --ignore-not-found {}", features.crds.join(" "))],
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let kube = context.kube().await?;
        adopt(context, kube.as_ref(), action).await?;
        let goes_on = mend(context, kube.as_ref(), CRD_CHART, HalfInstalled::Forget).await?;
        let digest = context.spec.chart.crd_digest.clone();
        let how = How { chart: context.spec.crd_chart_reference(), digest, skip_crds: false, take_ownership: false, goes_on, wait: None };
        install(context, kube.as_ref(), &wanted(context.spec), how).await
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        if !context.spec.release.features().crd_chart {
            let kube = context.kube().await?;
            for name in &context.spec.release.features().crds {
                context.doing(format!("deleting the custom resource definition {name}"));
                kube.delete(&crd_ref(name)).await?;
            }
            return Ok(());
        }
        uninstall(context, CRD_CHART).await
    }

    fn explain(&self) -> &'static str {
        "Installs the chart karpenter-crd in the release's version before the controller: helm never upgrades CRDs that lie in a \
         chart's crds/ folder, and a controller on old CRDs looks healthy while it provisions nothing. CRDs that another release, or \
         none, owns are refused until --adopt gives them this release's marks. Releases before v0.26 have no such chart: there the \
         main chart brings the CRDs. destroy keeps them unless asked (--delete-crds), since their removal removes every node pool."
    }
}

/// What EKS Auto Mode's node pools are objects of is not taken away: it stays, or goes, with the cluster.
fn with_auto_mode(spec: &Spec) -> State {
    match spec.cluster {
        ClusterMode::Managed => State::NotWanted,
        ClusterMode::Existing => {
            Refusal::new(format!("EKS Auto Mode manages the compute of cluster {}, and works with them", spec.cluster_name)).into()
        }
    }
}

fn wanted(spec: &Spec) -> Wanted {
    Wanted { release: CRD_CHART, version: spec.release.chart_version(), values: render::crd_values(spec) }
}

fn owner(spec: &Spec) -> String {
    format!("{}/{CRD_CHART}", spec.namespace)
}

fn judge(spec: &Spec, facts: &Facts) -> Result<State, State> {
    let release = looked(&facts.crd_release)?.filter(|r| is_there(r));
    let crds = looked(&facts.crds)?;
    may_hop(spec, facts)?;
    let owner = owner(spec);
    let others: Vec<String> = crds
        .into_iter()
        .flatten()
        .filter(|(_, crd)| crd.helm_owner.as_ref() != Some(&owner))
        .map(|(name, crd)| match &crd.helm_owner {
            Some(other) => format!("{name} (of the helm release {other})"),
            None => format!("{name} (of no helm release)"),
        })
        .collect();
    if !others.is_empty() {
        return Err(foreign(
            format!("custom resource definitions are there and not of the helm release {owner}: {}", others.join(", ")),
            "they get that release's marks and this version's schema; no object of theirs is touched",
        ));
    }
    let Some(release) = release else { return Ok(State::Absent) };
    let mut changes = changes(release, &wanted(spec));
    let names = &spec.release.features().crds;
    changes.extend(names.iter().filter(|n| crds.is_none_or(|c| !c.contains_key(*n))).map(|n| format!("{n}: not there")));
    Ok(drifted_or_present(changes))
}

/// Gives the CRDs that are there helm's marks of our release. Every helm takes over what carries them; only newer ones know a
/// flag for it.
async fn adopt(context: &StepContext<'_>, kube: &dyn Kube, action: Action) -> Result<()> {
    let spec = context.spec;
    for name in &spec.release.features().crds {
        let place = crd_ref(name);
        let Some(found) = kube.get(&place).await? else { continue };
        if helm_owner(&found).is_some_and(|o| o == owner(spec)) {
            continue;
        }
        if action != Action::Adopt && !context.adopts() {
            return Err(Error::refused(format!("the custom resource definition {name} is not of the helm release {}", owner(spec)))
                .hint("--adopt takes it over"));
        }
        context.doing(format!("adopting the custom resource definition {name}"));
        let mut marks = json!({"metadata": {
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": CRD_CHART, "meta.helm.sh/release-namespace": spec.namespace},
        }});
        // helm 4 applies by server-side apply: a schema that another manager holds would be a conflict.
        if let Some(managers) = found["metadata"]["managedFields"].as_array() {
            let kept: Vec<&Value> = managers.iter().filter(|m| m["subresource"] == "status").collect();
            if !kept.is_empty() {
                marks["metadata"]["managedFields"] = json!(kept);
            }
        }
        kube.merge_patch(&place, &marks).await?;
    }
    Ok(())
}
