//! A cluster of ours that somebody deleted by hand: what eksctl made beside it goes all the same.

use crate::fake::{FakeWorld, Fault, error, step};
use crate::fixture::spec;
use karpctl::error::ErrorKind;
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::Tags;
use karpctl::steps::OWNER_TAG;

const ID: StepId = StepId::Cluster;
const ADDON: &str = "eksctl-demo-addon-vpc-cni";

fn of(cluster: &str) -> Tags {
    Tags::from([(OWNER_TAG.to_owned(), cluster.to_owned())])
}

#[tokio::test(start_paused = true)]
async fn the_other_stacks_of_eksctl_go_before_the_clusters() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    let put = |name: &str, tags: Tags| world.set_stack(name, "CREATE_COMPLETE", &[], tags);
    put(ADDON, of("demo"));
    put("eksctl-demo-addon-theirs", Tags::new());
    put("eksctl-demo-2-cluster", of("demo-2"));
    world.forget_calls();
    assert_eq!(world.assess_removal(ID).await, State::Present);
    assert!(!world.calls().iter().any(|call| call == "list stacks"), "with a cluster eksctl takes them away");
    world.inside().cluster = None;
    let facts = world.facts(step(ID).reads_on_removal()).await;
    let shell = step(ID).commands(&world.spec, &facts, Direction::Remove).join("\n");
    assert!(shell.contains(&format!("delete-stack --region us-west-2 --stack-name {ADDON}")), "{shell}");
    assert_eq!(world.remove(ID).await.0, Ok(()));
    let deleted: Vec<String> = world.changes().into_iter().filter_map(|c| c.strip_prefix("delete_stack ").map(str::to_owned)).collect();
    assert_eq!((deleted.len(), deleted[0].as_str(), deleted[2].as_str()), (3, ADDON, "eksctl-demo-cluster"), "{deleted:?}");
    assert_eq!(world.assess_removal(ID).await, State::Absent);

    // The rest of a removal that was broken off; a bootstrap clears it away, too.
    put(ADDON, of("demo"));
    assert!(matches!(world.assess(ID).await, State::Broken(_)));
    assert!(matches!(world.assess_removal(ID).await, State::Broken(_)));
    world.fail("list stacks", Fault::Before(error(ErrorKind::Denied)));
    let facts = world.facts(step(ID).reads_on_removal()).await;
    let told = step(ID).goes_without(&world.spec, &facts, Direction::Remove).join("\n");
    assert!(told.starts_with("stacks of eksctl's may be left of the cluster"), "{told}");
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess_removal(ID).await, State::Absent);
    let left: Vec<String> = world.inside().stacks.keys().cloned().collect();
    assert_eq!(left, ["eksctl-demo-2-cluster", "eksctl-demo-addon-theirs"]);
}
