//! Policies of the controller that CloudFormation let go of in an upgrade, since the role still had them.

use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::spec;
use karpctl::error::ErrorKind;
use karpctl::facts::Topic;
use karpctl::plan::{Action, Direction, State, StepId};
use karpctl::steps::Ownership;
use std::sync::{Arc, Mutex};

const ID: StepId = StepId::ControllerRole;
const ROLE: &str = "demo-karpenter";
const OLD: &str = "arn:aws:iam::111122223333:policy/KarpenterControllerPolicy-demo";

/// A world whose stack is of this release and ours, with the role of an older one.
async fn upgraded() -> Arc<FakeWorld> {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(StepId::Stack).await;
    world.apply_ok(ID).await;
    world.inside().roles.get_mut(ROLE).unwrap().policies.push(OLD.into());
    world.inside().managed_policies.insert(OLD.into(), 1);
    world.forget_calls();
    world
}

/// The same after a run that broke off before the policy was deleted.
async fn broken_off() -> Arc<FakeWorld> {
    let world = upgraded().await;
    world.inside().roles.get_mut(ROLE).unwrap().policies.retain(|arn| arn != OLD);
    world.inside().managed_policies.insert(OLD.into(), 0);
    world
}

/// The stack has the policy, as one of a release before 1.9 does.
fn stack_has_it(world: &FakeWorld) {
    for stack in world.inside().stacks.values_mut() {
        stack.facts.template = Some("ManagedPolicyName: !Sub \"KarpenterControllerPolicy-${ClusterName}\"".into());
    }
}

/// How the role stands, the stack being looked at too, as in a bootstrap.
async fn judged(world: &Arc<FakeWorld>) -> State {
    step(ID).assess(&world.spec, &world.facts(&[Topic::ControllerRole, Topic::Stack]).await)
}

/// What is warned of while the role is brought up to date.
async fn applied(world: &Arc<FakeWorld>) -> String {
    let facts = world.facts(&[Topic::ControllerRole, Topic::Stack]).await;
    let said = Mutex::new(Vec::new());
    let apply = world
        .with_context(&facts, Ownership::OursOnly, &said, |context| Box::pin(async move { step(ID).apply(context, Action::Update).await }));
    assert_eq!(apply.await, Ok(()));
    warnings(&said.into_inner().unwrap())
}

fn warnings(said: &[String]) -> String {
    said.iter().filter_map(|line| line.strip_prefix("warning: ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn one_that_the_stack_let_go_of_is_deleted() {
    let world = upgraded().await;
    assert_eq!(words(&judged(&world).await), format!("policy {OLD}: no longer wanted"));
    assert_eq!(applied(&world).await, "");
    assert_eq!(world.changes(), [format!("detach_policy {OLD}"), format!("delete_policy {OLD}")]);
    assert_eq!(judged(&world).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn the_new_ones_are_attached_before_the_old_one_is_taken_off() {
    let world = upgraded().await;
    world.inside().roles.get_mut(ROLE).unwrap().policies.retain(|arn| arn == OLD);
    applied(&world).await;
    let changes = world.changes();
    let off = changes.iter().position(|change| *change == format!("detach_policy {OLD}")).unwrap();
    assert!(off > 4 && changes[..off].iter().all(|change| change.starts_with("attach_policy")), "{changes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_broke_off_before_the_deletion_is_gone_on_with() {
    let world = broken_off().await;
    assert_eq!(words(&judged(&world).await), format!("policy {OLD}: left of another release, attached to nothing"));
    let printed = step(ID).commands(&world.spec, &world.facts(&[Topic::ControllerRole, Topic::Stack]).await, Direction::Apply);
    assert!(printed.contains(&format!("aws iam delete-policy --policy-arn {OLD}")), "{printed:?}");
    applied(&world).await;
    assert_eq!(world.changes(), [format!("delete_policy {OLD}")]);
}

#[tokio::test(start_paused = true)]
async fn one_that_something_still_has_stays() {
    let world = upgraded().await;
    stack_has_it(&world);
    assert_eq!(applied(&world).await, "");
    assert_eq!(world.changes(), [format!("detach_policy {OLD}")]);
    assert_eq!(judged(&world).await, State::Present);

    let world = upgraded().await;
    world.inside().managed_policies.insert(OLD.into(), 2);
    assert_eq!(applied(&world).await, format!("the policy {OLD} was another release's and stays: something else has it attached"));
    assert_eq!(world.changes(), [format!("detach_policy {OLD}")]);
    assert_eq!(judged(&world).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn one_that_may_not_be_looked_at_is_said() {
    let world = upgraded().await;
    world.fail("get policy", Fault::Before(error(ErrorKind::Denied)));
    let facts = world.facts(&[Topic::ControllerRole, Topic::Stack]).await;
    let unread = step(ID).goes_without(&world.spec, &facts, Direction::Apply);
    assert!(unread.len() == 1 && unread[0].contains("policies of another release may be left"), "{unread:?}");
    // What was just taken off is no guess.
    world.fail("get policy", Fault::Before(error(ErrorKind::Denied)));
    let said = Mutex::new(Vec::new());
    let apply = world
        .with_context(&facts, Ownership::OursOnly, &said, |context| Box::pin(async move { step(ID).apply(context, Action::Update).await }));
    assert_eq!(apply.await.unwrap_err().kind, ErrorKind::Denied);
    // On the way back nothing waits for it.
    world.fail("get policy", Fault::Before(error(ErrorKind::Denied)));
    world.fail("get policy", Fault::Before(error(ErrorKind::Denied)));
    let (ended, said) = world.remove(ID).await;
    assert_eq!(ended, Ok(()));
    assert!(
        warnings(&said).contains(&format!("the policy {OLD} may be left of another release, and stays: it was not looked at")),
        "{said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_way_back_takes_it_along() {
    for world in [upgraded().await, broken_off().await] {
        assert_eq!(world.remove(ID).await.0, Ok(()));
        let changes = world.changes();
        let (policy, role) = (format!("delete_policy {OLD}"), format!("delete_role {ROLE}"));
        assert!(changes.ends_with(&[policy, role]), "the role, by which it is known, goes last: {changes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_way_back_leaves_it_to_the_stack_that_has_it_and_to_others_who_do() {
    let world = upgraded().await;
    stack_has_it(&world);
    let (ended, said) = world.remove(ID).await;
    assert_eq!((ended, warnings(&said)), (Ok(()), String::new()));
    assert!(world.inside().managed_policies.contains_key(OLD));

    let world = upgraded().await;
    world.inside().managed_policies.insert(OLD.into(), 2);
    let (ended, said) = world.remove(ID).await;
    assert_eq!(ended, Ok(()));
    assert!(warnings(&said).contains("something else has it attached"), "{said:?}");
    assert!(world.inside().managed_policies.contains_key(OLD));
}
