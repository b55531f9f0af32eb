//! Whether names and policies are as long as AWS takes them.

use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::render::{POLICY_SIZE, controller_policies, policy_size};

pub(super) struct NamesAndSizes;

impl Check for NamesAndSizes {
    fn id(&self) -> &'static str {
        "names-and-sizes"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "The guide puts the cluster's name into names and policies that have limits of their own, and a stack that meets one is rolled back."
    }

    fn explain(&self) -> &'static str {
        "Works out, without asking AWS, what every name and policy comes to for this cluster name, region, partition and release. EKS \
         takes cluster names of 100 characters; a role's name may have 64, so `KarpenterNodeRole-<cluster>` ends at 46 and \
         `<cluster>-karpenter` at 54; a queue's may have 80, a managed policy's 128, a stack's 128 and no underscore.\n\nWhat people see: \
         `Value '…' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64`. A managed policy \
         may have 6,144 characters: `Cannot exceed quota for PolicySize: 6144`. karpctl shortens a name to one that ends in a hash of \
         the whole and uses it everywhere, and cuts a policy in two where it is too long. Documents of your own (a node class, a \
         mapping, a PassRole policy) must then name the shortened one, which `karpctl render all` shows. Once the stack is there, its \
         names are what they are, and nothing is warned of any more."
    }

    fn reads(&self) -> &'static [Topic] {
        // ARNs stand in the policies, so their size takes the account.
        &[Topic::Caller, Topic::Stack]
    }

    fn of_cluster(&self) -> bool {
        true
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let mut said: Vec<Judgement> = spec
            .changed_names()
            .into_iter()
            .map(|name| {
                let subject = format!("{} of cluster {}", name.what, spec.cluster_name);
                let message = format!("is called {}: AWS does not take the guide's {}", name.used, name.guide);
                if situation.facts.stack.known().is_some() {
                    return Judgement::pass(subject, message);
                }
                let (cluster, region, account) = (spec.cluster_name.as_str(), spec.region.as_str(), spec.account_id.as_str());
                let render =
                    ["karpctl", "render", "all", "--cluster-name", cluster, "--region", region, "--account-id", account, "--out", cluster];
                Judgement::warn(subject, message).run("call it so in documents of your own; this writes all of them, in a folder", render)
            })
            .collect();
        let policies = controller_policies(spec);
        let longest = policies.iter().map(|policy| policy_size(&policy.document, spec)).max().unwrap_or_default();
        let subject = format!("policies of the controller of {}", spec.cluster_name);
        if longest > POLICY_SIZE {
            said.push(
                Judgement::fail(subject, format!("a single statement has {longest} characters, and a policy may have {POLICY_SIZE}"))
                    .fix("choose a shorter cluster name"),
            );
        } else {
            let number = policies.len();
            said.push(Judgement::pass(subject, format!("{number}, the longest of {longest} characters; a policy may have {POLICY_SIZE}")));
        }
        Ok(said)
    }
}
