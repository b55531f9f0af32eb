//! What whoever runs karpctl must be allowed to do in AWS, as rows with a source.

use super::stack::Condition;
use super::table::{embedded, table};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What somebody runs karpctl for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// `bootstrap`, and its parts.
    Bootstrap,
    /// `doctor` and `status`.
    Doctor,
    /// `destroy`.
    Destroy,
    /// `migrate`, beside what `bootstrap` needs.
    Migrate,
}

impl Work {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bootstrap, Self::Doctor, Self::Destroy, Self::Migrate];
    /// What every cluster sees: a migration is asked for by name.
    pub const USUAL: [Self; 3] = [Self::Bootstrap, Self::Doctor, Self::Destroy];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Doctor => "doctor",
            Self::Destroy => "destroy",
            Self::Migrate => "migrate",
        }
    }

    /// Whether whoever does this work needs a grant of those works.
    #[must_use]
    pub fn needs(self, works: &[Self]) -> bool {
        works.contains(&self) || self == Self::Migrate && works.contains(&Self::Bootstrap)
    }
}

/// Who makes a call with the operator's permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CalledBy {
    /// karpctl itself.
    Karpctl,
    /// CloudFormation, which creates and deletes with its caller's permissions.
    Cloudformation,
    /// eksctl.
    Eksctl,
}

/// A kind of spec that a grant is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperatorCase {
    /// The cluster is there already.
    ExistingCluster,
    /// The cluster is karpctl's own, made by eksctl, whether it is there yet or not.
    NewCluster,
    /// eksctl makes or removes the cluster: not where it is there already and stays.
    ByEksctl,
    /// With a network of its own.
    OwnNetwork,
    /// Whose pods have IPv6.
    Ipv6,
    /// Without a way to the internet.
    Private,
    /// Whose secrets are encrypted with a key of the person's own.
    SecretsKey,
    /// The controller runs on a managed node group.
    NodeGroup,
    /// The controller runs on Fargate.
    Fargate,
    /// The controller gets its credentials by EKS Pod Identity.
    PodIdentity,
    /// The controller gets its credentials by IRSA.
    Irsa,
    /// The release has an interruption queue.
    InterruptionQueue,
    /// The stack has an instance profile.
    InstanceProfile,
    /// The stack has none.
    NoInstanceProfile,
    /// Roles, policies and queue are karpctl's own to make.
    OwnStack,
    /// The roles that are created have a permissions boundary.
    Boundary,
    /// They have none.
    NoBoundary,
    /// The one of an earlier run is taken off.
    BoundaryTakenOff,
}

/// Something that the operator must be allowed to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorGrant {
    /// What it is for, in a word.
    pub sid: &'static str,
    /// For which work.
    pub works: &'static [Work],
    /// Who makes the calls.
    pub by: CalledBy,
    /// All of these must be so for the grant to be needed. Empty: always.
    pub cases: &'static [OperatorCase],
    /// Needed only when a release or spec has changed.
    pub update_only: bool,
    /// Only shown: without it the work ends well, and says what it could not show.
    pub informs: bool,
    /// The actions, such as `eks:DescribeCluster`.
    pub actions: &'static [String],
    /// The resources, with the variables of `Fn::Sub` and of `render::operator_names`.
    pub resources: Vec<&'static str>,
    /// All of these must hold, but for one whose values come to nothing. Values have the same variables.
    pub conditions: Vec<&'static Condition>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    resources: BTreeMap<String, Vec<String>>,
    conditions: BTreeMap<String, Vec<Condition>>,
    statements: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    sid: String,
    #[serde(rename = "for")]
    works: Vec<Work>,
    by: CalledBy,
    #[serde(default)]
    when: Vec<OperatorCase>,
    #[serde(default)]
    update: bool,
    #[serde(default)]
    informs: bool,
    actions: Vec<String>,
    on: Vec<String>,
    #[serde(default, rename = "if")]
    conditions: Vec<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    source: String,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| embedded(table!("operator")));

/// Everything that any work of karpctl may need.
#[must_use]
pub fn operator_grants() -> Vec<OperatorGrant> {
    let grant = |row: &'static Row| OperatorGrant {
        sid: &row.sid,
        works: &row.works,
        by: row.by,
        cases: &row.when,
        update_only: row.update,
        informs: row.informs,
        actions: &row.actions,
        resources: row.on.iter().flat_map(|name| TABLE.resources[name].iter().map(String::as_str)).collect(),
        conditions: row.conditions.iter().flat_map(|name| &TABLE.conditions[name]).collect(),
    };
    TABLE.statements.iter().map(grant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_a_source_a_name_of_its_own_and_known_resources() {
        let mut sids = BTreeSet::new();
        for row in &TABLE.statements {
            assert!(row.source.len() > 5, "{}", row.sid);
            assert!(sids.insert(&row.sid), "{} stands twice", row.sid);
            assert!(!row.actions.is_empty() && !row.on.is_empty() && !row.works.is_empty(), "{}", row.sid);
            assert!(row.actions.iter().all(|a| a.contains(':') && !a.contains('*')), "{}: an action is named in full", row.sid);
            assert!(row.on.iter().all(|name| TABLE.resources.contains_key(name)), "{}: {:?}", row.sid, row.on);
            assert!(row.conditions.iter().all(|name| TABLE.conditions.contains_key(name)), "{}: {:?}", row.sid, row.conditions);
        }
        let used: BTreeSet<&String> = TABLE.statements.iter().flat_map(|r| &r.on).collect();
        assert!(TABLE.resources.keys().all(|name| used.contains(name)), "a resource that no row is about");
        let used: BTreeSet<&String> = TABLE.statements.iter().flat_map(|r| &r.conditions).collect();
        assert!(TABLE.conditions.keys().all(|name| used.contains(name)), "a condition that no row has");
    }

    #[test]
    fn doctor_only_looks() {
        let looks = |action: &String| {
            ["Describe", "Get", "List", "Simulate"].iter().any(|verb| action.split(':').nth(1).is_some_and(|a| a.starts_with(verb)))
        };
        assert!(operator_grants().iter().filter(|g| g.works.contains(&Work::Doctor)).flat_map(|g| g.actions).all(looks));
    }
}
