//! What an earlier cluster of the same name, its Karpenter and karpctl left in the account, and by what it is known.

use super::permissions::AT_ONCE;
use super::{ProbeContext, told};
use crate::error::Result;
use crate::facts::{ClusterFacts, LeftProfile, LeftoverFacts, Probed};
use crate::knowledge::{EKSCTL_CLUSTER_TAG, NODE_POOL_LABEL, PROVISIONER_LABEL};
use crate::ports::{Aws, InstanceProfile, LaunchedInstance, ProfileDetails, Tags};
use crate::spec::{ClusterMode, DISCOVERY_MARK, Spec};
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// The tags of Karpenter's launch templates, whose value is the cluster's name: up to 1.0, and since.
const TEMPLATE_TAGS: [&str; 2] = ["karpenter.k8s.aws/cluster", "eks:eks-cluster-name"];
/// The tag that the network add-on gives interfaces, whose value is the cluster's name.
const INTERFACE_TAG: &str = "cluster.k8s.amazonaws.com/name";
/// The tag by which Karpenter says for which region a profile is: its name does not, before 1.7.
const REGION_TAG: &str = "topology.kubernetes.io/region";

/// What is left. Not asked where the cluster is there, since it is its own then, or where it is another's to make.
pub(super) async fn leftovers(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<LeftoverFacts> {
    match cluster {
        Probed::Absent if context.spec.cluster == ClusterMode::Existing => Probed::NotAsked,
        Probed::Absent => Probed::Known(left(context).await),
        Probed::Known(_) => Probed::Absent,
        Probed::Unavailable(reason) => Probed::Unavailable(reason.clone()),
        Probed::NotAsked => Probed::NotAsked,
    }
}

async fn left(context: &ProbeContext<'_>) -> LeftoverFacts {
    let (spec, aws) = (context.spec, context.ports.aws.as_ref());
    let name = spec.cluster_name.to_string();
    let [of_provisioners, of_pools] = [PROVISIONER_LABEL, NODE_POOL_LABEL].map(|tag| [owned(spec), (tag.to_owned(), String::new())]);
    let interface = [(INTERFACE_TAG.to_owned(), name)];
    let of_cluster = owned(spec);
    let (older, newer, profiles, launch_templates, interfaces, volumes, tagged, providers) = tokio::join!(
        aws.instances(&of_provisioners),
        aws.instances(&of_pools),
        profiles(spec, aws),
        launch_templates(spec, aws),
        aws.unused_interfaces(&interface),
        aws.unused_volumes(&of_cluster),
        tagged(spec, aws),
        providers(spec, aws),
    );
    // One that is ending needs nobody, and EKS ends what Auto Mode launched.
    let runs = |instance: LaunchedInstance| (instance.state != "shutting-down" && !instance.of_auto_mode).then_some(instance.id);
    let both = older.and_then(|older| Ok(older.into_iter().chain(newer?).filter_map(runs).collect()));
    LeftoverFacts {
        instances: told(both),
        profiles: told(profiles),
        launch_templates: told(launch_templates),
        interfaces: told(interfaces),
        volumes: told(volumes),
        tagged: told(tagged),
        providers: told(providers),
    }
}

/// What karpctl tagged for a cluster that others made.
async fn tagged(spec: &Spec, aws: &dyn Aws) -> Result<Vec<String>> {
    let mark = (DISCOVERY_MARK, spec.cluster_name.as_str());
    let (subnets, groups) = tokio::join!(aws.tagged_subnets(mark), aws.tagged_security_groups(mark));
    Ok(subnets?.into_iter().map(|subnet| subnet.id).chain(groups?.into_iter().map(|group| group.id)).collect())
}

/// The OIDC providers that karpctl, or eksctl with the cluster, made for one of this name and region: IAM has those of all regions, and the ARN has
/// the issuer. eksctl gives them none of the tags that it is told.
async fn providers(spec: &Spec, aws: &dyn Aws) -> Result<Vec<String>> {
    let mut found = aws.oidc_providers().await?;
    found.retain(|arn| arn.contains(&format!("eks.{}.", spec.region)));
    let asked = stream::iter(found).map(|arn| async move {
        let by_eksctl = |tags: &Tags| tags.get(EKSCTL_CLUSTER_TAG).is_some_and(|name| name == spec.cluster_name.as_str());
        let ours = aws.oidc_provider(&arn).await?.is_some_and(|provider| spec.owns(&provider.tags) || by_eksctl(&provider.tags));
        Ok::<_, crate::error::Error>(ours.then_some(arn))
    });
    let ours: Vec<Option<String>> = asked.buffered(AT_ONCE).try_collect().await?;
    Ok(ours.into_iter().flatten().collect())
}

/// The tag that every Karpenter gives what it makes for a cluster.
fn owned(spec: &Spec) -> (String, String) {
    (spec.cluster_tag(), "owned".to_owned())
}

/// The names of the launch templates that Karpenter made for this cluster. The tags are Karpenter's and the names too: a template of
/// eksctl or EKS is never one of them.
pub(crate) async fn launch_templates(spec: &Spec, aws: &dyn Aws) -> Result<Vec<String>> {
    let cluster = spec.cluster_name.as_str();
    let mut found = aws.launch_templates(&TEMPLATE_TAGS.map(|key| (key.to_owned(), cluster.to_owned()))).await?;
    found.retain(|name| name.starts_with("karpenter.k8s.aws/") || name.starts_with(&format!("Karpenter-{cluster}-")));
    Ok(found)
}

/// The instance profiles of this cluster's Karpenter. Where only the name speaks for it, which another region's cluster may have as well,
/// its tags decide.
async fn profiles(spec: &Spec, aws: &dyn Aws) -> Result<Vec<LeftProfile>> {
    let mut found = aws.instance_profiles().await?;
    found.retain(|profile| named_for(spec, profile));
    let asked = try_join_all(found.into_iter().map(|profile| async move {
        let ours = profile.path != "/"
            || aws.instance_profile(&profile.name).await?.is_some_and(|ProfileDetails { tags, .. }| {
                let (key, value) = owned(spec);
                tags.get(&key) == Some(&value) && says_region(spec, &tags)
            });
        Ok::<_, crate::error::Error>(ours.then_some(LeftProfile { name: profile.name, roles: profile.roles }))
    }));
    Ok(asked.await?.into_iter().flatten().collect())
}

/// Whether a profile that is named so is for this region: where its path does not say it, its tags may say another.
pub(crate) async fn is_of_region(spec: &Spec, aws: &dyn Aws, profile: &InstanceProfile) -> Result<bool> {
    Ok(profile.path != "/" || aws.instance_profile(&profile.name).await?.is_none_or(|details| says_region(spec, &details.tags)))
}

/// Whether tags of Karpenter's speak of this region, or of none.
fn says_region(spec: &Spec, tags: &Tags) -> bool {
    tags.get(REGION_TAG).is_none_or(|region| region == spec.region.as_str())
}

/// Whether a profile has a name as Karpenter gives it for this cluster: `<cluster>_<hash>`, since 1.7 under the path
/// `/karpenter/<region>/<cluster>/`.
pub(crate) fn named_for(spec: &Spec, profile: &InstanceProfile) -> bool {
    profile.path.starts_with(&format!("/karpenter/{}/{}/", spec.region, spec.cluster_name))
        || profile.path == "/" && spec.is_profile_of_karpenter(&profile.name)
}
