//! One file's tree as a kubeconfig, with the types that the clients insist on: a number where a text belongs makes the whole file
//! unloadable, an unknown field does not.

use super::document::{Malformed, Node, Value, read};
use super::{Cluster, Context, Exec, Kubeconfig, Source, User};
use crate::knowledge::ExecApiVersion;
use crate::knowledge::exec::version_of;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::{Component, Path, PathBuf};

/// What is taken of `kind` and `apiVersion`.
const KIND: [&str; 2] = ["", "Config"];
const API_VERSION: [&str; 2] = ["", "v1"];

/// `unknown` are the fields that the client does not know, and passes over whatever stands there.
pub(super) fn decode(source: &Source, unknown: &[&str]) -> Result<Kubeconfig, Malformed> {
    let Some(mut root) = read(&source.text)? else { return Ok(Kubeconfig::default()) };
    root.forget(unknown);
    let base = source.file.parent().unwrap_or(Path::new("/"));
    let root = Fields::of(&root)?;
    let (kind, api_version) = (root.text("kind")?, root.text("apiVersion")?);
    if !KIND.contains(&kind.as_str()) || !API_VERSION.contains(&api_version.as_str()) {
        return Err(Malformed::new(
            root.line("kind"),
            format!("no kind \"{}\" is registered for version \"{}\"", or(&kind, "Config"), or(&api_version, "v1")),
        ));
    }
    let preferences = root.fields("preferences")?;
    preferences.boolean("colors")?;
    extensions(&preferences)?;
    extensions(&root)?;
    Ok(Kubeconfig {
        current_context: root.text("current-context")?,
        clusters: entries(&root, "clusters", "cluster", |f| cluster(f, base))?,
        contexts: entries(&root, "contexts", "context", context)?,
        users: entries(&root, "users", "user", |f| user(f, &source.file, base))?,
    })
}

fn or<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.is_empty() { instead } else { text }
}

/// A list of names with what they name.
fn entries<T>(
    root: &Fields<'_>,
    list: &str,
    inner: &str,
    decode: impl Fn(&Fields<'_>) -> Result<T, Malformed>,
) -> Result<Vec<(String, T)>, Malformed> {
    let mut out: Vec<(String, T)> = Vec::new();
    for node in root.list(list)? {
        let entry = Fields::of(node)?;
        let name = entry.text("name")?;
        if out.iter().any(|(n, _)| *n == name) {
            return Err(Malformed::new(node.line, format!("duplicate name \"{name}\" in list: {list}")));
        }
        out.push((name, decode(&entry.fields(inner)?)?));
    }
    Ok(out)
}

fn cluster(f: &Fields<'_>, base: &Path) -> Result<Cluster, Malformed> {
    let mut extensions = extensions(f)?.into_iter();
    Ok(Cluster {
        tls_server_name: f.text("tls-server-name")?,
        disable_compression: f.boolean("disable-compression")?,
        exec_config: extensions.find(|(name, _)| name == EXEC_EXTENSION).and_then(|(_, extension)| extension),
        server: f.text("server")?,
        certificate_authority: absolute(f.text("certificate-authority")?, base),
        certificate_authority_data: f.bytes("certificate-authority-data")?,
        insecure: f.boolean("insecure-skip-tls-verify")?,
        proxy_url: f.text("proxy-url")?,
    })
}

/// The extension that a plugin is told of.
const EXEC_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// Named extensions, which may hold anything.
fn extensions(f: &Fields<'_>) -> Result<Vec<(String, Option<serde_json::Value>)>, Malformed> {
    let one = |node: &Node| {
        let entry = Fields::of(node)?;
        Ok((entry.text("name")?, entry.some("extension").map(|node| node.value.clone().into())))
    };
    f.list("extensions")?.iter().map(one).collect()
}

fn context(f: &Fields<'_>) -> Result<Context, Malformed> {
    extensions(f)?;
    f.text("namespace")?;
    Ok(Context { cluster: f.text("cluster")?, user: f.text("user")? })
}

fn user(f: &Fields<'_>, file: &Path, base: &Path) -> Result<User, Malformed> {
    extensions(f)?;
    let provider = f.some("auth-provider").map(Fields::of).transpose()?;
    let extra = f.fields("as-user-extra")?;
    Ok(User {
        file: file.to_owned(),
        exec: f.some("exec").map(|node| exec(node, base)).transpose()?,
        token: f.text("token")?,
        token_file: absolute(f.text("tokenFile")?, base),
        client_certificate: absolute(f.text("client-certificate")?, base),
        client_certificate_data: f.bytes("client-certificate-data")?,
        client_key: absolute(f.text("client-key")?, base),
        client_key_data: f.bytes("client-key-data")?,
        username: f.text("username")?,
        has_password: !f.text("password")?.is_empty(),
        auth_provider: provider.map(|p| p.text("name")).transpose()?,
        impersonate: f.text("as")?,
        impersonates_more: !f.texts("as-groups")?.is_empty() || !f.text("as-uid")?.is_empty() || !extra.list.is_empty(),
    })
}

fn exec(node: &Node, base: &Path) -> Result<Exec, Malformed> {
    let f = Fields::of(node)?;
    f.text("installHint")?;
    let mut env = Vec::new();
    for item in f.list("env")? {
        let variable = Fields::of(item)?;
        env.push((variable.text("name")?, variable.text("value")?));
    }
    let api_version = f.text("apiVersion")?;
    let said = f.text("interactiveMode")?;
    let has_a_default = version_of(&api_version).is_some_and(ExecApiVersion::has_a_default_mode);
    let interactive_mode = if said.is_empty() && has_a_default { "IfAvailable".to_owned() } else { said };
    let command = f.text("command")?;
    Ok(Exec {
        line: f.some("apiVersion").map_or(node.line, |n| n.line),
        api_version,
        command: if command.contains('/') { absolute(command, base) } else { command },
        args: f.texts("args")?,
        env,
        interactive_mode,
        provide_cluster_info: f.boolean("provideClusterInfo")?,
    })
}

/// A path of the file's, from where the file is. `..` takes the name before it away, whatever that name is a link to.
fn absolute(path: String, base: &Path) -> String {
    if path.is_empty() || Path::new(&path).is_absolute() {
        return path;
    }
    let mut plain = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain.display().to_string()
}

/// The fields of a mapping. Names are told apart by case, as the clients do.
struct Fields<'a> {
    list: &'a [(String, Node)],
    line: u32,
}

impl<'a> Fields<'a> {
    fn of(node: &'a Node) -> Result<Self, Malformed> {
        match &node.value {
            Value::Fields(list) => Ok(Self { list, line: node.line }),
            Value::Null => Ok(Self { list: &[], line: node.line }),
            other => Err(Malformed::new(node.line, format!("expected fields, found {}", other.kind()))),
        }
    }

    fn some(&self, name: &str) -> Option<&'a Node> {
        self.list.iter().find(|(n, _)| n == name).map(|(_, node)| node).filter(|node| node.value != Value::Null)
    }

    fn line(&self, name: &str) -> u32 {
        self.some(name).map_or(self.line, |node| node.line)
    }

    fn wrong<T>(name: &str, node: &Node, expected: &str) -> Result<T, Malformed> {
        Err(Malformed::new(node.line, format!("{name}: expected {expected}, found {}", node.value.kind())))
    }

    fn text(&self, name: &str) -> Result<String, Malformed> {
        match self.some(name) {
            None => Ok(String::new()),
            Some(Node { value: Value::Text(text), .. }) => Ok(text.clone()),
            Some(node) => Self::wrong(name, node, "a text, in quotes where it looks like something else"),
        }
    }

    fn boolean(&self, name: &str) -> Result<bool, Malformed> {
        match self.some(name) {
            None => Ok(false),
            Some(Node { value: Value::Bool(value), .. }) => Ok(*value),
            Some(node) => Self::wrong(name, node, "true or false, without quotes"),
        }
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, Malformed> {
        let text: String = self.text(name)?.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        STANDARD.decode(text).map_err(|_| Malformed::new(self.line(name), format!("{name}: illegal base64 data")))
    }

    fn list(&self, name: &str) -> Result<&'a [Node], Malformed> {
        match self.some(name) {
            None => Ok(&[]),
            Some(Node { value: Value::List(items), .. }) => Ok(items),
            Some(node) => Self::wrong(name, node, "a list"),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, Malformed> {
        self.list(name)?
            .iter()
            .map(|item| match &item.value {
                Value::Text(text) => Ok(text.clone()),
                Value::Null => Ok(String::new()),
                _ => Self::wrong(name, item, "texts, in quotes where they look like something else"),
            })
            .collect()
    }

    fn fields(&self, name: &str) -> Result<Self, Malformed> {
        self.some(name).map_or(Ok(Self { list: &[], line: self.line }), Self::of)
    }
}
