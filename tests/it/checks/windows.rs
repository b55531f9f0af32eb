//! What Windows nodes ask of a cluster.

use super::{DAY, bad, healthy_world, seen};
use crate::checks_inside::{after, says};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use karpctl::finding::{Finding, Verdict};
use karpctl::ports::ObjectRef;
use karpctl::spec::Spec;
use serde_json::json;

fn config_map() -> ObjectRef {
    place("v1", "configmaps", Some("kube-system"), "amazon-vpc-cni")
}

fn remove_it(world: &FakeWorld) {
    world.inside().objects.remove(&config_map());
}

fn turn_it_off(world: &FakeWorld) {
    world.change(&config_map(), |map| map["data"]["enable-windows-ipam"] = json!("false"));
}

/// What is found of a spec with Windows.
async fn wanted(breakage: impl FnOnce(&FakeWorld)) -> Vec<Finding> {
    let world = healthy_world().await;
    world.inside().entries.values_mut().for_each(|entry| entry.kind = "EC2_WINDOWS".into());
    breakage(&world);
    let (spec, facts) = seen(&world).await;
    // What the policies say of it is another check's.
    bad(&Spec { windows: true, ..spec }, &facts, DAY).into_iter().filter(|f| f.id == "windows-ipam").collect()
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_windows_nodes_get_addresses() {
    let create = "kubectl --namespace kube-system create configmap amazon-vpc-cni --from-literal enable-windows-ipam=true";
    says(&wanted(remove_it).await, "windows-ipam", Verdict::Fail, create);
    let off = wanted(turn_it_off).await;
    says(&off, "windows-ipam", Verdict::Fail, "kubectl --namespace kube-system patch configmap amazon-vpc-cni --type merge");
    assert!(off[0].fixes.iter().any(|fix| fix.title.contains("enableWindowsIpam")), "an add-on would take it back: {off:#?}");
    assert_eq!(wanted(|_| ()).await, []);
    assert_eq!(wanted(|w| w.change(&config_map(), |map| map["data"]["enable-windows-ipam"] = json!("True"))).await, []);
    assert_eq!(after(remove_it).await, [], "nobody makes Windows nodes");
    let class = |w: &FakeWorld| {
        remove_it(w);
        w.inside().entries.values_mut().for_each(|entry| entry.kind = "EC2_WINDOWS".into());
        let spec = json!({"role": "KarpenterNodeRole-demo", "amiSelectorTerms": [{"alias": "windows2022@latest"}]});
        w.put(&place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, "win"), json!({"spec": spec}));
    };
    says(&after(class).await, "windows-ipam", Verdict::Fail, create);
}
