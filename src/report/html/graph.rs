//! The plan as a drawing: a row of boxes for each depth of need, and lines from what is needed to what needs it.

use crate::plan::{Plan, StepId};
use serde::Serialize;
use std::collections::BTreeMap;

const BOX: (f64, f64) = (200.0, 34.0);
const GAP: (f64, f64) = (18.0, 34.0);

/// A drawing, in units that are pixels unless it is scaled.
#[derive(Serialize)]
pub(super) struct Graph {
    width: f64,
    height: f64,
    box_width: f64,
    box_height: f64,
    nodes: Vec<Node>,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Node {
    id: StepId,
    class: String,
    x: f64,
    y: f64,
    middle_x: f64,
    middle_y: f64,
}

#[derive(Serialize)]
struct Line {
    path: String,
    critical: bool,
}

/// The drawing of a plan.
/// `critical` is the way through it that decides how long it takes, from the first step to the last.
pub(super) fn drawn(plan: &Plan, classes: &BTreeMap<StepId, &str>, critical: &[StepId]) -> Graph {
    let mut depths: BTreeMap<StepId, usize> = BTreeMap::new();
    let mut rows: Vec<Vec<StepId>> = Vec::new();
    for step in &plan.steps {
        let depth = step.needs.iter().filter_map(|n| depths.get(n)).map(|d| d + 1).max().unwrap_or(0);
        depths.insert(step.id, depth);
        rows.resize_with(rows.len().max(depth + 1), Vec::new);
        rows[depth].push(step.id);
    }
    let span = |boxes: usize| from(boxes) * (BOX.0 + GAP.0) - GAP.0;
    let width = rows.iter().map(|row| span(row.len())).fold(BOX.0, f64::max);
    let mut places: BTreeMap<StepId, (f64, f64)> = BTreeMap::new();
    for (depth, row) in rows.iter().enumerate() {
        let left = (width - span(row.len())) / 2.0;
        for (place, id) in row.iter().enumerate() {
            places.insert(*id, (left + from(place) * (BOX.0 + GAP.0), from(depth) * (BOX.1 + GAP.1)));
        }
    }
    let nodes = places.iter().map(|(id, (x, y))| {
        let mark = if critical.contains(id) { " critical" } else { "" };
        let class = format!("{}{mark}", classes.get(id).copied().unwrap_or("planned"));
        Node { id: *id, class, x: *x, y: *y, middle_x: x + BOX.0 / 2.0, middle_y: y + BOX.1 / 2.0 + 4.0 }
    });
    let mut lines = Vec::new();
    for step in &plan.steps {
        for need in &step.needs {
            if let (Some(from), Some(to)) = (places.get(need), places.get(&step.id)) {
                let (x1, y1, x2, y2) = (from.0 + BOX.0 / 2.0, from.1 + BOX.1, to.0 + BOX.0 / 2.0, to.1);
                let path = format!("M{x1:.0} {y1:.0} C{x1:.0} {:.0} {x2:.0} {:.0} {x2:.0} {y2:.0}", y1 + GAP.1, y2 - GAP.1);
                lines.push(Line { path, critical: critical.windows(2).any(|pair| pair == [*need, step.id]) });
            }
        }
    }
    let height = from(rows.len()) * (BOX.1 + GAP.1) - GAP.1;
    Graph { width, height, box_width: BOX.0, box_height: BOX.1, nodes: nodes.collect(), lines }
}

#[expect(clippy::cast_precision_loss, reason = "a few boxes")]
const fn from(count: usize) -> f64 {
    count as f64
}
