//! `karpctl render`: the documents of a release.

use super::answer::{Pretty, json};
use super::args::VariantArgs;
use super::session::{Session, layers};
use super::standing;
use crate::adapters::new_file::{self, NewFile, differs, unwritable};
use crate::adapters::text_file;
use crate::app::App;
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::knowledge::Work;
use crate::render::{
    Document, EksctlAbilities, Inputs, POLICY_SIZE, Standing, cloudformation_over, document, document_json, operator_needs,
    operator_policies, operator_policy,
};
use crate::report::Format;
use crate::spec::Spec;
use crate::spec::resolve::{Discovered, resolve};
use crate::steps::{cluster_config_of_bootstrap, node_pool_over};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Print the documents of a release
///
/// With --account-id and --region AWS is asked nothing. The same input gives the same bytes.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl render cloudformation --karpenter-version 1.14.1 \\
      --cluster-name demo --region us-west-2 --account-id 111122223333
  karpctl render all --out rendered \\
      --cluster-name demo --region us-west-2 --account-id 111122223333")]
pub struct RenderArgs {
    /// Which document
    #[arg(value_enum)]
    what: What,
    /// How it is written; operator-policy is JSON always, as IAM takes nothing else
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: DocumentFormat,
    /// A folder to write to instead of stdout, a file for each document; `all` needs one
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite files that differ
    #[arg(long, requires = "out")]
    force: bool,
    /// The cluster's endpoint, for releases whose chart must be told
    #[arg(long, value_name = "URL")]
    cluster_endpoint: Option<String>,
    /// cluster-config as `karpctl bootstrap` gives it to eksctl: with karpctl's tag, without what karpctl makes itself
    #[arg(long)]
    for_bootstrap: bool,
    /// What is there already, of which is kept what a change would replace: a stack's template, or `kubectl get --output json` of a
    /// node pool and its class
    #[arg(long, value_name = "FILE")]
    deployed: Option<PathBuf>,
    /// What operator-policy allows [default: all of them]
    #[arg(long = "for", value_name = "WORK", value_delimiter = ',', value_parser = work_parser())]
    works: Vec<Work>,
    /// How many pods inflate asks for
    #[arg(long, default_value_t = 0)]
    replicas: u32,
    #[command(flatten)]
    variant: VariantArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Cloudformation,
    ClusterConfig,
    HelmValues,
    NodePool,
    IdentityMapping,
    Inflate,
    FlowSchemas,
    PrometheusValues,
    GrafanaValues,
    OperatorPolicy,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum DocumentFormat {
    #[default]
    Yaml,
    Json,
}

fn work_parser() -> impl TypedValueParser<Value = Work> {
    PossibleValuesParser::new(Work::ALL.map(Work::as_str))
        .map(|name| Work::ALL.into_iter().find(|w| w.as_str() == name).unwrap_or(Work::Bootstrap))
}

impl RenderArgs {
    /// The format of errors.
    pub(crate) fn output(&self) -> Format {
        if self.output == DocumentFormat::Json { Format::Json } else { Format::Human }
    }
}

/// Runs the command.
pub async fn run(app: &App, args: RenderArgs) -> Result<Exit> {
    let (spec, endpoint) = spec(app, &args).await?;
    standing::judge(app, &spec)?;
    let inputs = Inputs {
        cluster_endpoint: args.cluster_endpoint.clone().or(endpoint),
        ami_version: None,
        eksctl: EksctlAbilities::default(),
        replicas: args.replicas,
    };
    if args.for_bootstrap {
        if (args.what, args.output) != (What::ClusterConfig, DocumentFormat::Yaml) {
            return Err(Error::usage("--for-bootstrap is for `render cluster-config`, as YAML"));
        }
        app.printer.document(&cluster_config_of_bootstrap(&spec, EksctlAbilities::default())?);
        return Ok(Exit::Done);
    }
    if let Some(file) = &args.deployed {
        app.printer.document(&over(&args, &spec, file)?);
        return Ok(Exit::Done);
    }
    if args.what != What::OperatorPolicy && !args.works.is_empty() {
        return Err(Error::usage("--for is for `render operator-policy`"));
    }
    let text = |which: Document| match args.output {
        DocumentFormat::Yaml => document(which, &spec, &inputs),
        DocumentFormat::Json => json(&document_json(which, &spec, &inputs)?, Pretty::Yes).map(|t| t + "\n"),
    };
    let one = match args.what {
        What::Cloudformation => Document::Cloudformation,
        What::ClusterConfig => Document::ClusterConfig,
        What::HelmValues => Document::HelmValues,
        What::NodePool => Document::NodePool,
        What::IdentityMapping => Document::IdentityMapping,
        What::Inflate => Document::Inflate,
        What::FlowSchemas => Document::FlowSchemas,
        What::PrometheusValues => Document::PrometheusValues,
        What::GrafanaValues => Document::GrafanaValues,
        What::OperatorPolicy => {
            // IAM takes JSON only, so it is JSON whatever is asked for.
            let works = if args.works.is_empty() { Work::USUAL.to_vec() } else { args.works.clone() };
            print_operator_policy(app, &args, &spec, &works)?;
            return Ok(Exit::Done);
        }
        What::All => {
            let folder = args
                .out
                .as_deref()
                .ok_or_else(|| Error::usage("`render all` writes files and needs a folder").hint("karpctl render all --out DIR …"))?;
            let texts = Document::called_for(&spec).map(|d| Ok((file_name(d, args.output), text(d)?))).collect::<Result<Vec<_>>>()?;
            write_all(app, folder, &texts, args.force)?;
            standing::note_differences(app, &spec, Document::called_for(&spec));
            return Ok(Exit::Done);
        }
    };
    let text = text(one)?;
    match &args.out {
        Some(folder) => write_all(app, folder, &[(file_name(one, args.output), text)], args.force)?,
        None => app.printer.document(&text),
    }
    standing::note_differences(app, &spec, [one]);
    Ok(Exit::Done)
}

/// A document for what is there already.
fn over(args: &RenderArgs, spec: &Spec, file: &Path) -> Result<String> {
    let unreadable = |why: String| Error::usage(format!("cannot read what is deployed in {}", file.display())).because(why);
    let deployed = text_file::text(file).map_err(|e| unreadable(e.to_string()))?;
    match (args.what, args.output) {
        (What::Cloudformation, DocumentFormat::Yaml) => cloudformation_over(spec, &deployed),
        (What::NodePool, _) => {
            let list = serde_json::from_str(&deployed).map_err(|e| unreadable(e.to_string()))?;
            Ok(json(&node_pool_over(spec, &list)?, Pretty::Yes)? + "\n")
        }
        _ => Err(Error::usage("--deployed is for `render cloudformation`, as YAML, and `render node-pool`")),
    }
}

/// One document on stdout; files that IAM takes each.
fn print_operator_policy(app: &App, args: &RenderArgs, spec: &Spec, works: &[Work]) -> Result<()> {
    let makes_roles = operator_needs(spec, works, Standing::ToCome).iter().any(|grant| grant.actions.iter().any(|a| a == "iam:CreateRole"));
    if makes_roles && spec.boundary().is_none() {
        app.printer.status(
            "note: whoever has this policy can make themselves administrator of the account: they write the controller's policies, and say \
             who may assume its role. Only a permissions boundary bounds that: `--permissions-boundary ARN` asks for one in the policy, too",
        );
    }
    let policies = operator_policies(spec, works);
    if let Some(folder) = &args.out {
        let name = |number: usize| if policies.len() == 1 { String::new() } else { format!("-{number}") };
        let text = |(at, policy)| Ok((format!("operator-policy{}.json", name(at + 1)), json(policy, Pretty::Yes)? + "\n"));
        return write_all(app, folder, &policies.iter().enumerate().map(text).collect::<Result<Vec<_>>>()?, args.force);
    }
    app.printer.document(&(json(&operator_policy(spec, works, Standing::ToCome), Pretty::Yes)? + "\n"));
    if policies.len() > 1 {
        app.printer.status(&format!(
            "note: a managed policy of IAM takes {POLICY_SIZE} characters without white space, and this has more: \
             `--out DIR` writes it as {} policies that fit, all of which are to be attached",
            policies.len()
        ));
    }
    Ok(())
}

async fn spec(app: &App, args: &RenderArgs) -> Result<(Spec, Option<String>)> {
    let layers = layers(app, &args.variant)?;
    let given = |get: fn(&crate::spec::layer::Layer) -> bool| layers.iter().any(|(_, l)| get(l));
    if given(|l| l.account_id.is_some()) && given(|l| l.region.is_some()) {
        let resolved = resolve(&layers, &Discovered::default())?;
        resolved.notes.iter().for_each(|n| app.printer.status(&format!("note: {n}")));
        return Ok((resolved.spec, None));
    }
    let without_aws = |e: Error| match e.kind {
        ErrorKind::Credentials | ErrorKind::Unreachable => e.hint("or name the account: with --account-id ID nothing is asked of AWS"),
        _ => e,
    };
    let session = app.read(Box::pin(Session::open_by(app, &args.variant, resolve))).await.map_err(without_aws)?;
    let endpoint = session.facts.cluster.known().and_then(|c| c.endpoint.clone());
    Ok((session.spec, endpoint))
}

fn file_name(which: Document, format: DocumentFormat) -> String {
    match format {
        DocumentFormat::Yaml => which.file_name(),
        DocumentFormat::Json => format!("{}.json", which.id()),
    }
}

/// Writes all files, or none where one would overwrite another text or there is no room for all.
fn write_all(app: &App, folder: &Path, texts: &[(String, String)], force: bool) -> Result<()> {
    let failed = |path: &Path, e: &std::io::Error| unwritable(Error::failed(format!("cannot write {}", path.display())), path, e);
    new_file::folder(folder).map_err(|e| failed(folder, &e))?;
    let mut files = Vec::new();
    for (name, text) in texts {
        let path = folder.join(name);
        if !force && differs(&path, text) {
            return Err(Error::refused(format!("{} is there and differs; nothing was written", path.display()))
                .hint("add --force to overwrite, or choose another folder"));
        }
        // Not waited for until it is on the disk: it can be rendered again.
        let file = NewFile::with(&path, text).map_err(|e| failed(&path, &e))?;
        files.push((path, file));
    }
    for (path, file) in files {
        file.replace(&path).map_err(|e| failed(&path, &e))?;
        app.printer.status(&format!("wrote {}", path.display()));
    }
    Ok(())
}
