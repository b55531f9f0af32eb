//! A spec file as `karpctl init` writes it: a line of reason above each setting.

use super::layer::Layer;
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The reasons of settings, by field. A field without one gets what the schema says of it.
pub type Reasons = BTreeMap<&'static str, String>;

/// The text of a spec file with these settings. `schema`: where an editor finds the schema, as seen from the file.
pub fn text(layer: &Layer, reasons: &Reasons, schema: Option<&str>) -> Result<String> {
    let failed = |e: String| Error::failed("cannot write the spec as a file").because(e);
    let Value::Object(settings) = serde_json::to_value(layer).map_err(|e| failed(e.to_string()))? else {
        return Err(failed("the settings are no fields".into()));
    };
    let descriptions = schemars::schema_for!(Layer);
    let mut out = String::new();
    if let Some(schema) = schema {
        let _ = writeln!(out, "{}", names_schema(schema));
    }
    out.push_str("# What `karpctl bootstrap` makes. A flag or a variable of the environment wins over what stands here.\n");
    for (field, value) in settings {
        let described = || descriptions.get("properties")?.get(&field)?.get("description")?.as_str().map(str::to_owned);
        if let Some(reason) = reasons.get(field.as_str()).cloned().or_else(described) {
            let _ = writeln!(out, "\n# {}", reason.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let setting = Value::Object(Map::from_iter([(field, value)]));
        let yaml = serde_saphyr::to_string(&setting).map_err(|e| failed(e.to_string()))?;
        out.push_str(yaml.trim_end());
        out.push('\n');
    }
    out.push_str("\n# Every other field: `karpctl generate schema`.\n");
    Ok(out)
}

/// The comment by which editors find the schema of a file.
#[must_use]
pub fn names_schema(schema: &str) -> String {
    format!("# yaml-language-server: $schema={schema}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::file::parse;
    use crate::spec::layer::NodePoolLayer;

    fn layer() -> Layer {
        Layer {
            cluster_name: Some("demo".into()),
            region: Some("us-west-2".into()),
            account_id: Some("011122223333".into()),
            karpenter_version: Some("1.14.1".into()),
            kubernetes_version: Some("1.30".into()),
            existing_cluster: Some(true),
            node_pool: Some(NodePoolLayer { capacity_types: Some(vec!["spot".into(), "on-demand".into()]), ..NodePoolLayer::default() }),
            subnets: Some(vec!["subnet-0a1b2c3d4e5f60718".into()]),
            tags: Some(BTreeMap::from([("team".into(), "a: b # c".into())])),
            ..Layer::default()
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = text(&layer(), &Reasons::new(), Some("karpctl.schema.json")).unwrap();
        let read = parse("karpctl.yaml", &written).map(|read| Layer { written: None, ..read });
        assert_eq!(read, Ok(layer()), "{written}");
        assert!(written.starts_with("# yaml-language-server: $schema=karpctl.schema.json\n"), "{written}");
    }

    #[test]
    fn every_setting_stands_below_its_reason() {
        let reasons = Reasons::from([("region", "where your\nother clusters are".to_owned())]);
        let written = text(&layer(), &reasons, None).unwrap();
        assert!(written.contains("# where your other clusters are\nregion: us-west-2\n"), "{written}");
        let lines: Vec<&str> = written.lines().collect();
        let fields = lines.windows(2).filter(|pair| pair[1].contains(':') && !pair[1].starts_with([' ', '#', '-']));
        assert_eq!(fields.clone().count(), 9, "{written}");
        assert!(fields.clone().all(|pair| pair[0].starts_with("# ")), "{written}");
    }
}
