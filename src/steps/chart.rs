//! The Karpenter chart.

use super::early_pods::{self, EarlyPods};
use super::helm_release::{
    HalfInstalled, How, Wanted, changes, install, install_commands, is_there, mend, of_somebody_else, uninstall, uninstall_commands,
};
use super::hops::may_hop;
use super::looked::{Refusal, drifted_or_present, foreign, looked, looked_for_removal};
use super::other_installer::{in_our_place, put_back};
use super::shell::{look_up, render_command};
use super::works_otherwise::works_otherwise;
use super::{Step, StepContext};
use crate::error::Result;
use crate::facts::{ControllerFacts, Facts, HelmRelease, Topic};
use crate::knowledge::{CHART, ValueLayout, value_at};
use crate::plan::{Action, Direction, State, StepId};
use crate::render;
use crate::spec::{ClusterMode, Spec};
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
        // Only those of the spec's identity are made; a removal takes away what another one made, after the chart.
        needs.extend([StepId::PodIdentityAgent, StepId::PodIdentityAssociation, StepId::OidcProvider]);
        if spec.release.features().crd_chart {
            needs.push(StepId::Crds);
        }
        needs
    }

    // The stack is read for its own step, with its template, and stands by then.
    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Crds, Topic::ObjectsAtStake, Topic::Controller, Topic::Association, Topic::ControllerRole]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        &[
            Topic::Chart,
            Topic::Crds,
            Topic::ObjectsAtStake,
            Topic::Controller,
            Topic::Association,
            Topic::StackStatus,
            Topic::ControllerRole,
        ]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        45
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        match judge(spec, facts).unwrap_or_else(|state| state) {
            State::Present => drifted_or_present(early_pods::changes(spec, facts)),
            State::Drifted(mut changes) => {
                changes.extend(early_pods::changes(spec, facts));
                State::Drifted(changes)
            }
            state => state,
        }
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        match looked_for_removal(&facts.chart_release, facts) {
            Ok(Some(found)) if is_there(found) => {
                of_another_cluster(spec, found).or_else(|| of_somebody_else(spec, facts)).map_or(State::Present, State::from)
            }
            // It goes with its cluster.
            Ok(_) if spec.cluster == ClusterMode::Managed && facts.controller.known().is_some() => State::NotWanted,
            Ok(_) => in_our_place(spec, facts).map_or(State::Absent, State::from),
            Err(state) => state,
        }
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        match direction {
            Direction::Apply if judge(spec, facts) == Ok(State::Present) && !early_pods::changes(spec, facts).is_empty() => {
                early_pods::commands(spec)
            }
            Direction::Apply => {
                let features = spec.release.features();
                let skip = if features.crd_chart { " --skip-crds" } else { "" };
                let endpoint = facts.cluster.known().and_then(|c| c.endpoint.clone());
                let mut commands = Vec::new();
                let what = if let Some(endpoint) = endpoint {
                    format!("helm-values --cluster-endpoint {endpoint}")
                } else {
                    commands.push(look_up(spec, "ENDPOINT", "endpoint"));
                    "helm-values --cluster-endpoint \"$ENDPOINT\"".to_owned()
                };
                commands.push(render_command(spec, &what, "values.yaml"));
                let flags = format!(" --values values.yaml{skip} --wait --timeout 15m");
                commands.extend(install_commands(
                    spec,
                    (CHART, &facts.chart_release),
                    &spec.chart_reference(),
                    spec.chart.digest.as_ref(),
                    &flags,
                ));
                commands
            }
            Direction::Remove => uninstall_commands(spec, CHART),
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let spec = context.spec;
        let kube = context.kube().await?;
        let mut early = EarlyPods::new(context, kube.as_ref());
        if judge(spec, context.facts) == Ok(State::Present) {
            return early.clear().await;
        }
        let wanted = wanted(spec, context.facts)?;
        let goes_on = mend(context, kube.as_ref(), CHART, HalfInstalled::Uninstall).await?;
        let how = How {
            chart: spec.chart_reference(),
            digest: spec.chart.digest.clone(),
            skip_crds: spec.release.features().crd_chart,
            take_ownership: action == Action::Adopt,
            goes_on,
            wait: Some(context.timeout),
        };
        // helm waits for pods that may have started too early, and would wait in vain.
        tokio::select! {
            installed = install(context, kube.as_ref(), &wanted, how) => installed?,
            never = early.keep_clearing() => match never {},
        }
        early.clear().await
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        uninstall(context, CHART).await
    }

    fn explain(&self) -> &'static str {
        "Runs `helm upgrade --install` of the chart karpenter with the values of the release's guide, and waits until the controller \
         is ready; if it does not become so, the error says what its pods and their events say. helm gets a kubeconfig and registry \
         configuration of its own. A release that a broken-off helm left pending is mended: its unfinished first installation is \
         uninstalled, or the record of its unfinished upgrade removed. With Pod Identity a pod gets its credentials when it is made, or \
         never: pods of the controller that were made before their association worked are restarted, as `kubectl rollout restart` \
         does.\n\nA Karpenter under another release name or namespace is \
         refused, and so is an upgrade that needs a hop in between, or that loses objects that are there. One that works under another role than \
         karpctl's is refused until --adopt, and with it where its node classes name other roles: `karpctl adopt` works with these. destroy is refused where a cluster \
         stays and another tool installs the Karpenter that works by karpctl's role: that one takes it away first."
    }
}

fn wanted(spec: &Spec, facts: &Facts) -> Result<Wanted> {
    let endpoint = facts.cluster.known().and_then(|c| c.endpoint.as_deref());
    Ok(Wanted { release: CHART, version: spec.release.chart_version(), values: render::helm_values(spec, endpoint)? })
}

fn judge(spec: &Spec, facts: &Facts) -> Result<State, State> {
    let release = looked(&facts.chart_release).map(|found| found.filter(|r| is_there(r)));
    if let Some(state) = facts.controller.known().and_then(|c| not_ours(spec, c, matches!(release, Ok(None)))) {
        // What may be taken over is upgraded by that.
        if matches!(state, State::Foreign { .. }) {
            may_hop(spec, facts)?;
        }
        return Err(state);
    }
    may_hop(spec, facts)?;
    let Some(release) = release? else { return Ok(State::Absent) };
    if let Some(refusal) = of_another_cluster(spec, release) {
        return Err(refusal.into());
    }
    if let Some(state) = works_otherwise(spec, facts, release) {
        return Err(state);
    }
    let wanted = wanted(spec, facts).map_err(|e| State::Unknown(e.to_string()))?;
    let mut changes = changes(release, &wanted);
    if facts.controller.known().is_some_and(|c| c.desired == 0) && wanted.values["replicas"] != 0 {
        changes.push("its Deployment asks for no replicas: somebody scaled it down".into());
    }
    if let Some(why) = put_back(spec, facts).filter(|_| !changes.is_empty()) {
        return Err(foreign(why, "helm changes its objects; what declares them must stop before, or say the same"));
    }
    Ok(drifted_or_present(changes))
}

/// The refusal of a Karpenter that works for a cluster of another name: the kubeconfig leads to that one.
fn of_another_cluster(spec: &Spec, found: &HelmRelease) -> Option<Refusal> {
    let told = |layout: ValueLayout| value_at(&found.values, layout.cluster_name_path())?.as_str();
    let named = ValueLayout::ALL.into_iter().rev().find_map(told)?;
    let wanted = &spec.cluster_name;
    (named != wanted.as_str()).then(|| {
        Refusal::new(format!("the Karpenter that is there works for cluster {named}, so this is not cluster {wanted}"))
            .hint("leave --kubeconfig and --context out: the way into a cluster is then what EKS says of it")
            .hint(format!("or work with that one: the same command with `--cluster-name {named}`"))
    })
}

/// A Karpenter that is not our release, as a state.
fn not_ours(spec: &Spec, controller: &ControllerFacts, has_no_record: bool) -> Option<State> {
    let own = format!("{}/{CHART}", spec.namespace);
    match &controller.helm_owner {
        // Flux keeps the record in the namespace of its HelmRelease, and puts back what another helm changes.
        Some(owner) if *owner == own => has_no_record.then(|| {
            foreign(
                format!("Karpenter runs already as the helm release {owner}, of which helm keeps no record in {}", spec.namespace),
                "helm installs over its objects; what installs it now must stop before",
            )
        }),
        Some(owner) => {
            let (namespace, name) = owner.split_once('/').unwrap_or((controller.namespace.as_str(), owner));
            let same_name = name == CHART;
            let refusal = Refusal::new(format!("Karpenter runs already as the helm release {owner}, and two work against each other"));
            let works = format!("the same command with `--namespace {namespace}` works with it");
            let refusal = if same_name { refusal.hint(works) } else { refusal };
            Some(refusal.hint(format!("`helm uninstall {name} --namespace {namespace}` removes it; its nodes stay")).into())
        }
        None if controller.namespace == spec.namespace.as_str() => Some(foreign(
            format!("Karpenter runs already in {}, and not by helm", controller.namespace),
            "helm takes its objects over, where it is 3.17 or newer",
        )),
        None => Some(
            Refusal::new(format!("Karpenter runs already in namespace {}, and two work against each other", controller.namespace))
                .hint(format!("remove that one first, or work with it: the same command with `--namespace {}`", controller.namespace))
                .into(),
        ),
    }
}
