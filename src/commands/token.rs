//! `karpctl token`: the credential plugin.

#![expect(clippy::doc_markdown, reason = "the comment of the arguments is the help text, which is no Markdown")]

use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::token::{answer, asked_for, expiry};
use clap::Args;

/// Print a credential of a cluster for a Kubernetes client
///
/// A client runs it as its credential plugin and says in KUBERNETES_EXEC_INFO which apiVersion it wants; that one is answered
/// (v1alpha1, v1beta1, v1; unset: v1beta1). The token is made here: nothing is sent. No spec file is read: a client
/// runs it in whatever directory it is in.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl token --cluster-name demo --region us-west-2
  karpctl token --cluster-name demo --region us-west-2 --profile work
  kubectl config set-credentials demo \\
      --exec-api-version=client.authentication.k8s.io/v1beta1 \\
      --exec-command=karpctl --exec-arg=token \\
      --exec-arg=--cluster-name=demo --exec-arg=--region=us-west-2")]
pub struct TokenArgs {
    /// Always json; taken because kubeconfigs that aws wrote pass it
    #[arg(long, short, value_parser = ["json"], default_value = "json", value_name = "FORMAT")]
    output: String,
}

/// Runs the command.
pub async fn run(app: &App, _args: TokenArgs) -> Result<Exit> {
    let cluster = app
        .globals
        .cluster_name
        .clone()
        .or_else(|| app.env.cluster_name.clone())
        .ok_or_else(|| Error::usage("the cluster has no name").hint("give --cluster-name NAME, or CLUSTER_NAME"))?;
    let cluster: crate::spec::ClusterName = cluster.parse().map_err(|e: crate::spec::InvalidName| Error::usage(e.to_string()))?;
    // What is asked for is looked at before credentials are: a wrong question costs no request.
    let version = asked_for(app.env.exec_info.as_deref())?;
    let region = app.globals.region.clone().or_else(|| app.env.region.clone());
    let token = Box::pin(async { app.connect(region.as_deref()).await?.0.aws.eks_token(cluster.as_str()).await });
    let token = app.read(token).await?;
    app.printer.document(&answer(version, &token, expiry(jiff::Timestamp::now())));
    Ok(Exit::Done)
}
