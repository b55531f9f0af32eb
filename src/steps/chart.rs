//! The Karpenter chart.

use super::helm_release::{HalfInstalled, How, Wanted, changes, install, install_command, is_there, mend, uninstall};
use super::hops::refused_hop;
use super::looked::{drifted_or_present, foreign, looked, looked_for_removal, refused};
use super::{Step, StepContext};
use crate::error::Result;
use crate::facts::{ControllerFacts, Facts, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::probe::release::CHART;
use crate::render;
use crate::spec::{Identity, Spec};
use async_trait::async_trait;

/// See the module.
pub(super) struct Chart;

#[async_trait]
impl Step for Chart {
    fn id(&self) -> StepId {
        StepId::Chart
    }

    fn title(&self, spec: &Spec) -> String {
        format!("chart {CHART} {} in {}", spec.release, spec.namespace)
    }

    fn needs(&self, spec: &Spec) -> Vec<StepId> {
        let mut needs = vec![StepId::Stack, StepId::Cluster, StepId::ControllerRole];
        match spec.identity {
            Identity::PodIdentity => needs.extend([StepId::PodIdentityAgent, StepId::PodIdentityAssociation]),
            Identity::Irsa => needs.push(StepId::OidcProvider),
        }
        if spec.release.features().crd_chart {
            needs.push(StepId::Crds);
        }
        needs
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Crds, Topic::Controller]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        45
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        judge(spec, facts).unwrap_or_else(|state| state)
    }

    fn assess_removal(&self, _: &Spec, facts: &Facts) -> State {
        match looked_for_removal(&facts.chart_release, facts) {
            Ok(Some(found)) if is_there(found) => State::Present,
            Ok(_) => State::Absent,
            Err(state) => state,
        }
    }

    fn commands(&self, spec: &Spec, direction: Direction) -> Vec<String> {
        match direction {
            Direction::Apply => {
                let skip = if spec.release.features().crd_chart { " --skip-crds" } else { "" };
                vec![
                    format!(
                        "karpctl render helm-values --cluster-name {} --karpenter-version {} > values.yaml",
                        spec.cluster_name, spec.release
                    ),
                    install_command(spec, CHART, &spec.chart_reference(), &format!(" --values values.yaml{skip} --wait")),
                ]
            }
            Direction::Remove => vec![format!("helm uninstall {CHART} --namespace {} --wait", spec.namespace)],
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let spec = context.spec;
        let wanted = wanted(spec, context.facts)?;
        let kube = context.kube().await?;
        mend(context, kube.as_ref(), CHART, HalfInstalled::Uninstall).await?;
        let how = How {
            chart: spec.chart_reference(),
            skip_crds: spec.release.features().crd_chart,
            take_ownership: action == Action::Adopt,
            wait: Some(context.timeout),
        };
        install(context, kube.as_ref(), &wanted, how).await
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        uninstall(context, CHART).await
    }

    fn explain(&self) -> &'static str {
        "Runs `helm upgrade --install` of the chart karpenter with the values of the release's guide, and waits until the controller \
         is ready; if it does not become so, the error says what its pods and their events say. helm gets a kubeconfig and registry \
         configuration of its own. A release that a broken-off helm left pending is mended: its unfinished first installation is \
         uninstalled, or the record of its unfinished upgrade removed. A Karpenter under another release name or namespace is \
         refused, and so is an upgrade that needs a hop in between."
    }
}

fn wanted(spec: &Spec, facts: &Facts) -> Result<Wanted> {
    let endpoint = facts.cluster.known().and_then(|c| c.endpoint.as_deref());
    Ok(Wanted { release: CHART, version: spec.release.chart_version(), values: render::helm_values(spec, endpoint)? })
}

fn judge(spec: &Spec, facts: &Facts) -> Result<State, State> {
    if let Some(state) = facts.controller.known().and_then(|c| not_ours(spec, c)) {
        return Err(state);
    }
    let release = looked(&facts.chart_release)?.filter(|r| is_there(r));
    if let Some(why) = refused_hop(spec, facts) {
        return Err(refused(why));
    }
    let Some(release) = release else { return Ok(State::Absent) };
    let wanted = wanted(spec, facts).map_err(|e| State::Unknown(e.to_string()))?;
    Ok(drifted_or_present(changes(release, &wanted)))
}

/// A Karpenter that is not our release, as a state.
fn not_ours(spec: &Spec, controller: &ControllerFacts) -> Option<State> {
    let own = format!("{}/{CHART}", spec.namespace);
    match &controller.helm_owner {
        Some(owner) if *owner == own => None,
        Some(owner) => {
            let (namespace, name) = owner.split_once('/').unwrap_or((controller.namespace.as_str(), owner));
            let same_name = name == CHART;
            let way = if same_name { format!("--namespace {namespace} works with it; or ") } else { String::new() };
            Some(refused(format!(
                "Karpenter runs already as the helm release {owner}, and two work against each other; {way}`helm uninstall {name} --namespace {namespace}` removes it (its nodes stay)"
            )))
        }
        None if controller.namespace == spec.namespace.as_str() => Some(foreign(
            format!("Karpenter runs already in {}, and not by helm", controller.namespace),
            "helm takes its objects over, where it is 3.17 or newer",
        )),
        None => Some(refused(format!(
            "Karpenter runs already in namespace {}, and two work against each other; remove that one first, or use --namespace {}",
            controller.namespace, controller.namespace
        ))),
    }
}
