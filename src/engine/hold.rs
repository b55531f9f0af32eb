//! One karpctl at a time works on a cluster: who begins first holds it, in the world and not in a file of one machine.
//!
//! The lock is a CloudFormation stack that holds nothing. CloudFormation makes a name once, whoever asks at the same moment, it is
//! there before any cluster is, every operator may use it already, and a stack can be deleted by its id: who takes over from a
//! holder that is dead can never remove the lock of the one who was quicker. The holder writes a new beat into the stack's tags
//! again and again; one that stops for [`Timing::lease`] is dead. On the holder's own machine its process is looked for, so that
//! running again after a crash waits for nothing.

use crate::error::{Error, ErrorKind, Result};
use crate::facts::StackFacts;
use crate::ports::{ChangeStack, Ports, Tags};
use crate::spec::Spec;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A stack needs a resource; this one is only a name, and takes no permission.
const TEMPLATE: &str = r#"{"AWSTemplateFormatVersion":"2010-09-09","Description":"Held by karpctl while it works on an EKS cluster; it can be deleted when no karpctl runs","Resources":{"Held":{"Type":"AWS::CloudFormation::WaitConditionHandle"}}}"#;

const HOLDER: &str = "karpctl.dev/holder";
const COMMAND: &str = "karpctl.dev/command";
const SINCE: &str = "karpctl.dev/since";
const PROCESS: &str = "karpctl.dev/process";
const RUN: &str = "karpctl.dev/run";
const BEAT: &str = "karpctl.dev/beat";

/// Who wants to work on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// `alice@laptop`.
    pub holder: String,
    /// `bootstrap`, `destroy`, …
    pub command: String,
    /// When it began, RFC 3339.
    pub since: String,
    /// The process, as [`Claim::process`] of another run on this machine is looked for.
    pub process: String,
    /// Differs for each run.
    pub run: String,
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From beat to beat.
    pub beat: Duration,
    /// Without a beat for this long, a holder is dead.
    pub lease: Duration,
    /// From look to look of one who waits.
    pub look: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { beat: Duration::from_secs(15), lease: Duration::from_secs(75), look: Duration::from_secs(3) }
    }
}

/// How often a deletion is asked for that has no answer, while the stack is seen to stand.
const UNANSWERED: u32 = 3;

/// Whether the process of a claim lives; `None` where it is of another machine.
pub type Lives<'a> = &'a (dyn Fn(&str) -> Option<bool> + Send + Sync);

/// What taking hold needs.
pub struct Hold<'a> {
    /// The world.
    pub ports: &'a Ports,
    /// Which cluster.
    pub spec: &'a Spec,
    /// The tags that everything gets.
    pub tags: Tags,
    /// Who wants it.
    pub claim: &'a Claim,
    /// Whether another process lives.
    pub lives: Lives<'a>,
    /// Says what is waited for.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
    /// Set by the first interruption.
    pub cancel: &'a CancellationToken,
    /// How long things take.
    pub timing: Timing,
}

impl Hold<'_> {
    fn name(&self) -> String {
        self.spec.lock_stack_name()
    }

    fn change(&self, beat: u64) -> ChangeStack {
        let claim = self.claim;
        let mut tags = self.tags.clone();
        let own = [
            (HOLDER, &claim.holder),
            (COMMAND, &claim.command),
            (SINCE, &claim.since),
            (PROCESS, &claim.process),
            (RUN, &claim.run),
            (BEAT, &beat.to_string()),
        ];
        tags.extend(own.map(|(key, value)| (key.to_owned(), value.clone())));
        ChangeStack {
            name: self.name(),
            template: TEMPLATE.into(),
            parameters: BTreeMap::new(),
            tags,
            token: format!("{}-{beat}", claim.run),
        }
    }

    /// Takes hold, or says who has it. Answers the id of the stack.
    pub async fn take(&self) -> Result<String> {
        let id = self.first().await?;
        // Who may not show signs of life would be taken for dead in the middle of the work.
        match self.ports.aws.update_stack(&ChangeStack { name: id.clone(), ..self.change(1) }).await {
            Err(e) if e.kind == ErrorKind::Denied => {
                self.release(&id).await?;
                Err(e.within(format!("cannot keep hold of cluster {}", self.spec.cluster_name)))
            }
            _ => Ok(id),
        }
    }

    async fn first(&self) -> Result<String> {
        let aws = &self.ports.aws;
        let mut watched: Option<Watched> = None;
        loop {
            match aws.create_stack(&self.change(0)).await {
                Ok(id) => return Ok(id),
                Err(e) if e.kind == ErrorKind::Conflict => {}
                Err(e) => return Err(e.within(format!("cannot take hold of cluster {}", self.spec.cluster_name))),
            }
            let Some(found) = aws.stack(&self.name(), false).await? else {
                // It has just gone, or its name is not free yet.
                self.pause().await?;
                continue;
            };
            if found.tags.get(RUN) == Some(&self.claim.run) {
                // The answer to our own request was lost.
                return Ok(found.id);
            }
            match self.standing(&found, &mut watched) {
                Standing::Going => self.pause().await?,
                Standing::Dead(why) => {
                    (self.say)(&format!("taking over from {}: {why}", who(&found)));
                    self.delete(&found.id, "over").await?;
                    watched = None;
                }
                Standing::Unsure => {
                    if watched.as_ref().is_some_and(|w| w.told) {
                        self.pause().await?;
                        continue;
                    }
                    (self.say)(&format!("{}; waiting for a sign of life", at_work(&found, &self.spec.cluster_name)));
                    if let Some(watched) = watched.as_mut() {
                        watched.told = true;
                    }
                    self.pause().await?;
                }
                Standing::Alive => return Err(self.refusal(&found)),
                Standing::Foreign => {
                    return Err(Error::refused(format!("the stack {} is there and is not karpctl's", self.name()))
                        .hint("it has the name by which karpctl keeps two runs apart; rename or delete it"));
                }
            }
        }
    }

    fn standing(&self, found: &StackFacts, watched: &mut Option<Watched>) -> Standing {
        if found.is_going() {
            return Standing::Going;
        }
        let (Some(process), Some(beat)) = (found.tags.get(PROCESS), found.tags.get(BEAT)) else { return Standing::Foreign };
        match (self.lives)(process) {
            Some(true) => return Standing::Alive,
            Some(false) => return Standing::Dead("its process is gone".into()),
            None => {}
        }
        // No beat gets into such a stack; one whose last beat went wrong (UPDATE_ROLLBACK_COMPLETE) takes the next.
        if found.stays() || found.is_taken_back() {
            return Standing::Dead(format!("the stack is {}", found.status));
        }
        // The clock of the holder's machine is not ours: only what is seen from here counts.
        match watched {
            Some(w) if w.id == found.id && w.beat != *beat => Standing::Alive,
            // While CloudFormation is at the stack, its holder cannot give a sign.
            Some(w) if w.id == found.id && found.is_busy() => {
                w.since = Instant::now();
                Standing::Unsure
            }
            Some(w) if w.id == found.id && w.since.elapsed() >= self.timing.lease => {
                Standing::Dead(format!("there was no sign of life for {} s", self.timing.lease.as_secs()))
            }
            Some(w) if w.id == found.id => Standing::Unsure,
            _ => {
                *watched = Some(Watched { id: found.id.clone(), beat: beat.clone(), since: Instant::now(), told: false });
                Standing::Unsure
            }
        }
    }

    fn refusal(&self, found: &StackFacts) -> Error {
        Error::refused(at_work(found, &self.spec.cluster_name))
            .because("two at once would undo each other's work; this one has changed nothing")
            .hint("wait until it is done, then run this again")
            .hint(format!(
                "whether it lives is seen by the tag {BEAT}: `aws cloudformation describe-stacks --region {} --stack-name {}`; one that has died is taken over by itself",
                self.spec.region,
                self.name()
            ))
    }

    async fn pause(&self) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(self.timing.look) => Ok(()),
            () = self.cancel.cancelled() => Err(Error::new(ErrorKind::Interrupted, "interrupted while another karpctl has hold of the cluster")),
        }
    }

    /// Gives signs of life until dropped. Returns only where the hold is lost, or may be lost before long, which ends this run.
    pub async fn keep(&self, id: &str) -> Error {
        // Whoever waits takes this one for dead after the lease; it has to have stopped by then.
        let longest = self.timing.lease.saturating_sub(self.timing.beat * 2);
        let mut last = Instant::now();
        let mut next = last + self.timing.beat;
        let (mut beat, mut said) = (1, None);
        loop {
            tokio::time::sleep_until(next).await;
            // While this process stood still (Ctrl-Z), CloudFormation was not asked; that is not its silence.
            last += next.elapsed();
            beat += 1;
            let change = ChangeStack { name: id.to_owned(), ..self.change(beat) };
            let asked = Instant::now();
            next = asked + self.timing.beat;
            // One that is not answered does not keep the next from being sent.
            let until = next.min(last + longest);
            match tokio::time::timeout_at(until, self.ports.aws.update_stack(&change)).await {
                // An update that still runs is a sign of life too.
                Ok(Ok(_)) => last = asked,
                Ok(Err(e)) if e.kind == ErrorKind::Conflict => last = asked,
                Ok(Err(e)) if e.kind == ErrorKind::NotFound => return self.lost("another karpctl took this one for dead, and is at work"),
                // No other beat gets through, and no step either.
                Ok(Err(e)) if e.kind == ErrorKind::Credentials => {
                    let error = e.within(format!("cannot go on with cluster {}", self.spec.cluster_name));
                    return error.hint("then run it again: what is done is kept, and what AWS has begun goes on by itself");
                }
                Ok(Err(e)) => said = Some(e),
                Err(_) => last += until.elapsed(),
            }
            // The way to AWS may be broken for a while: the next beat may get through.
            if last.elapsed() >= longest {
                return self.silent(longest, said);
            }
        }
    }

    /// `said`: what kept the last beat that was answered from getting through.
    fn silent(&self, longest: Duration, said: Option<Error>) -> Error {
        let lost = self.lost(&format!(
            "CloudFormation took no sign of life for {} s, and another karpctl may soon take this one for dead",
            longest.as_secs()
        ));
        let Some(said) = said else { return lost };
        let lost = std::iter::once(said.message).chain(said.causes).fold(lost, Error::because);
        said.hints.into_iter().fold(lost, Error::hint)
    }

    fn lost(&self, why: &str) -> Error {
        Error::new(ErrorKind::Conflict, format!("lost hold of cluster {}", self.spec.cluster_name))
            .because(why)
            .hint("run it again: it says who is at work, and goes on from here when they are done")
    }

    /// Removes the hold of a run of this machine that has died.
    pub async fn clear_dead(&self) -> Result<()> {
        let Some(found) = self.ports.aws.stack(&self.name(), false).await? else { return Ok(()) };
        match found.tags.get(PROCESS).map(|process| (self.lives)(process)) {
            Some(Some(false)) => self.delete(&found.id, "over").await,
            _ => Ok(()),
        }
    }

    /// Lets go. That it is gone already is as good.
    pub async fn release(&self, id: &str) -> Result<()> {
        self.delete(id, "done").await
    }

    /// CloudFormation deletes no stack while it is still at an update, as which it takes a beat: for some seconds. And what came in the
    /// place of its answer, a proxy's page for one, does not say whether the request took effect.
    async fn delete(&self, id: &str, why: &str) -> Result<()> {
        let until = Instant::now() + self.timing.lease;
        let mut unanswered = 0;
        loop {
            match self.ports.aws.delete_stack(id, &format!("{}-{why}", self.claim.run)).await {
                Err(e) if e.kind == ErrorKind::Conflict && Instant::now() < until => {}
                Err(e) if e.kind == ErrorKind::Unreachable => {
                    unanswered += 1;
                    match self.ports.aws.stack(id, false).await {
                        Ok(None) => return Ok(()),
                        Ok(Some(found)) if found.is_going() => return Ok(()),
                        Ok(Some(_)) if unanswered < UNANSWERED => {}
                        _ => return Err(self.still_held(e)),
                    }
                }
                ended => return ended,
            }
            tokio::time::sleep(self.timing.look).await;
        }
    }

    fn still_held(&self, error: Error) -> Error {
        let (region, name) = (&self.spec.region, self.name());
        error.hint(format!(
            "the stack {name} keeps two runs apart, and holds nothing else: `aws cloudformation delete-stack --region {region} --stack-name {name}`"
        ))
    }
}

struct Watched {
    id: String,
    beat: String,
    since: Instant,
    told: bool,
}

enum Standing {
    /// Its holder lets go.
    Going,
    /// Its holder lives.
    Alive,
    /// Its holder does not, and why that is known.
    Dead(String),
    /// Not known yet.
    Unsure,
    /// Not a lock.
    Foreign,
}

/// Who has hold of a cluster, with what, and since when.
fn at_work(found: &StackFacts, cluster: &impl std::fmt::Display) -> String {
    let tag = |key: &str| found.tags.get(key).map_or("", String::as_str);
    format!("`karpctl {}` of {} is at work on cluster {cluster} since {}", tag(COMMAND), who(found), tag(SINCE))
}

fn who(found: &StackFacts) -> String {
    let holder = found.tags.get(HOLDER).map_or("somebody", String::as_str);
    let pid = found.tags.get(PROCESS).and_then(|p| p.split('/').nth(1));
    pid.map_or_else(|| holder.to_owned(), |pid| format!("{holder} (process {pid})"))
}
