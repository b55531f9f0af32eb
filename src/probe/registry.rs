//! What a chart registry has, as anybody sees it.

use crate::facts::{ChartTag, Probed};
use crate::ports::Registry;
use crate::spec::Spec;

/// Whether the registry has the chart's version, and if not, whether it has it with the other prefix.
pub async fn chart_tag(registry: &dyn Registry, spec: &Spec) -> Probed<Box<ChartTag>> {
    let (chart, tag) = (spec.chart_reference(), spec.release.chart_version());
    let other = tag.strip_prefix('v').map_or_else(|| format!("v{tag}"), str::to_owned);
    match registry.has(&chart, &tag).await {
        Ok(true) => Probed::Known(Box::new(ChartTag { chart, tag, is_there: true, instead: None })),
        Ok(false) => {
            let instead = registry.has(&chart, &other).await.is_ok_and(|there| there).then_some(other);
            Probed::Known(Box::new(ChartTag { chart, tag, is_there: false, instead }))
        }
        Err(e) => Probed::Unavailable(e.to_string()),
    }
}
