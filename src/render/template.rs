//! The templates of `templates/`, and how values go into them: everything that a template prints is written as JSON, which is
//! YAML of one meaning only. A cluster called `on`, `123` or `null` stays a string.

use crate::characters::written_out;
use crate::error::{Error, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::sync::LazyLock;

/// How CloudFormation's functions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Functions {
    /// `!Sub "…"`: for YAML that people read.
    Short,
    /// `{"Fn::Sub": "…"}`: for a document that is read back as JSON.
    Long,
}

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/", $name)))),+]
    };
}

const TEMPLATES: [(&str, &str); 13] = templates![
    "cloudformation.yaml.j2",
    "cluster-config.yaml.j2",
    "flow-schemas.yaml.j2",
    "grafana-values.yaml.j2",
    "helm-values.yaml.j2",
    "identity-mapping.yaml.j2",
    "inflate.yaml.j2",
    "node-pool/requirements.yaml.j2",
    "node-pool/v1.yaml.j2",
    "node-pool/v1alpha5.yaml.j2",
    "node-pool/v1beta1.yaml.j2",
    "node-pool/volumes.yaml.j2",
    "prometheus-values.yaml.j2",
];

static SHORT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(Functions::Short));
static LONG: LazyLock<Environment<'static>> = LazyLock::new(|| environment(Functions::Long));

fn environment(functions: Functions) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Json);
    env.set_syntax(
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build().expect("the usual delimiters"),
    );
    env.add_function("sub", move |text: String| Value::from_safe_string(functions.sub(&text)));
    env.add_function("ref", move |id: String| Value::from_safe_string(functions.call("!Ref", "Ref", &id)));
    env.add_function("attribute", move |id: String, name: String| {
        Value::from_safe_string(functions.call("!GetAtt", "Fn::GetAtt", &format!("{id}.{name}")))
    });
    for (name, source) in TEMPLATES {
        env.add_template(name, source).expect("an embedded template follows the grammar of templates");
    }
    env
}

impl Functions {
    /// `Fn::Sub` of one line.
    pub(super) fn sub(self, text: &str) -> String {
        self.call("!Sub", "Fn::Sub", text)
    }

    /// `Fn::Sub` of a JSON document: a block that can be read where YAML is written, else a string.
    pub(super) fn sub_document(self, document: &Json, indent: usize) -> String {
        let text = document.to_string();
        // A document without variables is one as it stands: CloudFormation's linters warn of a function that does nothing.
        if !text.contains("${") {
            return text;
        }
        if self == Self::Long {
            return self.sub(&text);
        }
        let margin = " ".repeat(indent);
        // `{:#}` of a JSON value is its indented form.
        format!("!Sub |\n{margin}{}", format!("{document:#}").replace('\n', &format!("\n{margin}")))
    }

    fn call(self, short: &str, long: &str, text: &str) -> String {
        let text = Json::from(text);
        match self {
            Self::Short => format!("{short} {text}"),
            Self::Long => format!("{{{}: {text}}}", Json::from(long)),
        }
    }
}

/// A template with its values filled in. What a template marks `safe` is text that is YAML already.
pub(super) fn fill(name: &str, functions: Functions, values: &Json) -> Result<String> {
    let env = if functions == Functions::Short { &*SHORT } else { &*LONG };
    let wrong = |e: minijinja::Error| Error::failed(format!("cannot render the template {name}")).because(format!("{e:#}"));
    let text = env.get_template(name).and_then(|template| template.render(value(values))).map_err(wrong)?;
    // JSON leaves characters as they are that YAML does not take, or a terminal obeys.
    Ok(match written_out(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    })
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::from(number.as_f64()), Value::from),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(fields) => Value::from_pairs(fields.iter().map(|(name, field)| (name.as_str(), value(field)))),
    }
}

/// The documents of a YAML text, as JSON.
pub(super) fn read(name: &str, yaml: &str) -> Result<Vec<Json>> {
    serde_saphyr::from_multiple(yaml)
        .map_err(|e| Error::failed(format!("the template {name} does not make valid YAML")).because(e.to_string()))
}

/// The only document of a YAML text, as JSON.
pub(super) fn read_one(name: &str, yaml: &str) -> Result<Json> {
    Ok(read(name, yaml)?.into_iter().next().unwrap_or(Json::Null))
}
