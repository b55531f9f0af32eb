//! What the stack of a release holds: permissions and events, as rows that come and go with releases.

use super::Release;
use super::table::{embedded, table};
use semver::Version;
use serde::Deserialize;
use std::sync::LazyLock;

/// What the stack of a release holds. Texts use the variables of CloudFormation's `Fn::Sub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackContent {
    /// The AWS managed policies of the node role, by name.
    pub node_policies: Vec<String>,
    /// The events that go to the interruption queue.
    pub rules: Vec<EventRule>,
    /// What the controller may do, by the part of [`super::Features::controller_policies`] that it stands in.
    pub policies: Vec<PolicyPart>,
}

/// An event that goes to the interruption queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// Its logical id.
    pub id: String,
    /// The service that tells it.
    pub event_source: String,
    /// What it tells.
    pub detail_type: String,
}

/// The statements of one of the controller's managed policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyPart {
    /// Its name, empty for the only one.
    pub part: String,
    /// What it allows.
    pub statements: Vec<Statement>,
}

/// Something that the controller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it is for.
    pub sid: String,
    /// What the official template of the release calls it. Empty: it has no name there.
    pub official: Vec<String>,
    /// The actions.
    pub actions: Vec<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// All of these must hold.
    pub conditions: Vec<Condition>,
}

/// A condition of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The operator, such as `StringEquals`.
    pub operator: String,
    /// The condition key.
    pub key: String,
    /// Any of these.
    pub values: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    node_policies: Vec<PolicyRow>,
    rules: Vec<RuleRow>,
    statements: Vec<StatementRow>,
}

#[derive(Debug, Deserialize)]
struct PolicyRow {
    value: String,
    #[serde(flatten)]
    span: Span,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    source: String,
}

#[derive(Debug, Deserialize)]
struct RuleRow {
    id: String,
    event_source: String,
    detail_type: String,
    #[serde(flatten)]
    span: Span,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    source: String,
}

#[derive(Debug, Deserialize)]
struct StatementRow {
    sid: String,
    #[serde(default)]
    official: Vec<Entry>,
    part: String,
    #[serde(flatten)]
    span: Span,
    actions: Vec<Entry>,
    resources: Vec<Entry>,
    #[serde(default)]
    conditions: Vec<ConditionRow>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    source: String,
}

#[derive(Debug, Deserialize)]
struct ConditionRow {
    operator: String,
    key: String,
    values: Vec<Entry>,
    #[serde(flatten)]
    span: Span,
}

/// A text that holds as long as its row, or for some releases only.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Always(String),
    Sometimes {
        value: String,
        #[serde(flatten)]
        span: Span,
    },
}

/// The releases from `since` until before `before`.
#[derive(Debug, Deserialize)]
struct Span {
    since: Option<Version>,
    before: Option<Version>,
}

/// Why the controller needs an action (`actions.yaml`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionReason {
    /// `iam:PassRole`, …
    pub action: String,
    /// Why.
    pub why: String,
    /// Where that can be seen.
    pub source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Actions {
    actions: Vec<ActionReason>,
}

static ACTIONS: LazyLock<Actions> = LazyLock::new(|| embedded(table!("actions")));

/// Why the controller needs each action that any release grants it.
#[must_use]
pub fn action_reasons() -> &'static [ActionReason] {
    &ACTIONS.actions
}

static TABLE: LazyLock<Table> = LazyLock::new(|| embedded(table!("stack")));

impl Span {
    fn holds(&self, release: &Release) -> bool {
        let version = release.version();
        self.since.as_ref().is_none_or(|since| version >= since) && self.before.as_ref().is_none_or(|before| version < before)
    }
}

fn held(entries: &[Entry], release: &Release) -> Vec<String> {
    let text = |entry: &Entry| match entry {
        Entry::Always(value) => Some(value.clone()),
        Entry::Sometimes { value, span } => span.holds(release).then(|| value.clone()),
    };
    entries.iter().filter_map(text).collect()
}

impl StatementRow {
    fn of(&self, release: &Release) -> Statement {
        let conditions = self.conditions.iter().filter(|row| row.span.holds(release));
        Statement {
            sid: self.sid.clone(),
            official: held(&self.official, release),
            actions: held(&self.actions, release),
            resources: held(&self.resources, release),
            conditions: conditions
                .map(|row| Condition { operator: row.operator.clone(), key: row.key.clone(), values: held(&row.values, release) })
                .collect(),
        }
    }
}

impl Release {
    /// What its stack holds.
    #[must_use]
    pub fn stack(&self) -> StackContent {
        let rows = || TABLE.statements.iter().filter(|row| row.span.holds(self));
        let part = |part: String| {
            // The releases with one policy have everything in it.
            let statements = rows().filter(|row| part.is_empty() || row.part == part).map(|row| row.of(self)).collect();
            PolicyPart { part, statements }
        };
        let rules = TABLE.rules.iter().filter(|row| row.span.holds(self)).map(|row| EventRule {
            id: row.id.clone(),
            event_source: row.event_source.clone(),
            detail_type: row.detail_type.clone(),
        });
        StackContent {
            node_policies: TABLE.node_policies.iter().filter(|row| row.span.holds(self)).map(|row| row.value.clone()).collect(),
            rules: rules.collect(),
            policies: self.features().controller_policies.iter().cloned().map(part).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_a_source() {
        let table = &*TABLE;
        let sources = table.statements.iter().map(|r| &r.source);
        let sources = sources.chain(table.rules.iter().map(|r| &r.source)).chain(table.node_policies.iter().map(|r| &r.source));
        assert!(sources.into_iter().all(|s| s.len() > 5));
    }

    #[test]
    fn every_action_that_is_granted_has_a_reason_and_no_other() {
        let stacks = Release::all().into_iter().flat_map(|release| release.stack().policies);
        let granted: BTreeSet<String> = stacks.flat_map(|p| p.statements).flat_map(|s| s.actions).collect();
        let reasons: Vec<&str> = action_reasons().iter().map(|r| r.action.as_str()).collect();
        assert_eq!(granted.iter().map(String::as_str).collect::<BTreeSet<_>>(), reasons.iter().copied().collect());
        assert_eq!(granted.len(), reasons.len(), "an action stands there twice");
        assert!(action_reasons().iter().all(|r| r.why.len() > 40 && r.why.ends_with('.') && r.source.len() > 5));
    }

    #[test]
    fn no_row_is_ever_empty_or_lost() {
        for release in Release::all() {
            let stack = release.stack();
            let statements: Vec<&Statement> = stack.policies.iter().flat_map(|p| &p.statements).collect();
            let sids: BTreeSet<&str> = statements.iter().map(|s| s.sid.as_str()).collect();
            assert_eq!(sids.len(), statements.len(), "{release}: a statement stands in two parts, or two have one name");
            assert_eq!(sids.len(), TABLE.statements.iter().filter(|r| r.span.holds(&release)).count(), "{release}");
            for statement in statements {
                assert!(!statement.actions.is_empty() && !statement.resources.is_empty(), "{release} {}", statement.sid);
                assert!(statement.conditions.iter().all(|c| !c.values.is_empty()), "{release} {}", statement.sid);
                let named = *release.version() >= Version::new(0, 29, 0);
                assert_eq!(statement.official.len(), usize::from(named), "{release} {}: {:?}", statement.sid, statement.official);
            }
            assert_eq!(stack.node_policies.len(), 4, "{release}");
            assert_eq!(stack.rules.is_empty(), !release.features().interruption_queue, "{release}");
        }
    }
}
