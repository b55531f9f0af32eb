//! The composition root: the only place that names adapters.

use crate::adapters::aws::{AwsClient, AwsSettings};
use crate::adapters::eksctl::EksctlCli;
use crate::adapters::helm::HelmCli;
use crate::adapters::kube::Connector;
use crate::adapters::workstation::ThisMachine;
use crate::commands::args::GlobalArgs;
use crate::env::Env;
use crate::error::{Error, Exit, Result};
use crate::facts::{Probed, ToolFacts};
use crate::ports::{ClusterAccess, Eksctl as _, Helm as _, Ports};
use crate::report::{Printer, Verbosity};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What every command is given.
pub struct App {
    /// The flags that every command takes.
    pub globals: GlobalArgs,
    /// The environment.
    pub env: Env,
    /// The only way to print.
    pub printer: Printer,
    /// Set by the first interruption.
    pub cancel: CancellationToken,
    terminated: Arc<AtomicBool>,
}

impl App {
    /// The application for these flags and the environment of this process.
    #[must_use]
    pub fn new(globals: GlobalArgs) -> Self {
        let env = Env::read();
        let verbosity = match (globals.quiet, globals.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        };
        let printer = Printer::new(globals.color, verbosity, env.ci);
        Self { globals, env, printer, cancel: CancellationToken::new(), terminated: Arc::default() }
    }

    /// Runs a command to its end, with interruptions watched.
    pub fn block_on(&self, command: impl Future<Output = Result<Exit>>) -> Result<Exit> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|e| Error::failed("cannot start").because(e.to_string()))?;
        let ended = runtime.block_on(async {
            self.watch_signals()?;
            command.await
        });
        // A question to a terminal that nobody answers must not keep the process.
        runtime.shutdown_background();
        ended
    }

    /// The first SIGINT, SIGTERM or SIGHUP lets what runs finish; the second leaves at once.
    fn watch_signals(&self) -> Result<()> {
        let watch = |kind: SignalKind, exit: Exit| -> Result<()> {
            let mut stream = signal(kind).map_err(|e| Error::failed("cannot watch for signals").because(e.to_string()))?;
            let (cancel, terminated) = (self.cancel.clone(), Arc::clone(&self.terminated));
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if cancel.is_cancelled() {
                        leave(exit);
                    }
                    terminated.store(exit == Exit::Terminated, Ordering::Relaxed);
                    cancel.cancel();
                }
            });
            Ok(())
        };
        watch(SignalKind::interrupt(), Exit::Interrupted)?;
        watch(SignalKind::terminate(), Exit::Terminated)?;
        watch(SignalKind::hangup(), Exit::Terminated)
    }

    /// The exit of a run that was interrupted.
    #[must_use]
    pub fn interrupted(&self) -> Exit {
        if self.terminated.load(Ordering::Relaxed) { Exit::Terminated } else { Exit::Interrupted }
    }

    /// The person's own way to the cluster, where flags ask for it.
    #[must_use]
    pub fn kubeconfig(&self) -> Option<ClusterAccess> {
        let (path, context) = (self.globals.kubeconfig.clone(), self.globals.context.clone());
        (path.is_some() || context.is_some()).then_some(ClusterAccess::Kubeconfig { path, context })
    }

    /// This machine.
    #[must_use]
    pub const fn workstation(&self) -> ThisMachine {
        ThisMachine
    }

    /// The helm and the eksctl that would run.
    pub async fn tools(&self) -> (Probed<ToolFacts>, Probed<ToolFacts>) {
        let none = AwsSettings { region: None, profile: None };
        let helm = HelmCli { program: program(self.globals.helm.as_ref(), "helm"), karpctl: PathBuf::new(), aws: none.clone() };
        let eksctl = EksctlCli { program: program(self.globals.eksctl.as_ref(), "eksctl"), aws: none };
        let (helm, eksctl) = tokio::join!(helm.facts(), eksctl.facts());
        (Probed::of(helm), Probed::of(eksctl))
    }

    /// The ports on the real world, and the region that the AWS configuration names.
    pub async fn connect(&self, region: Option<&str>) -> Result<(Ports, Option<crate::spec::Region>)> {
        let settings = AwsSettings { region: region.map(str::to_owned), profile: self.globals.profile.clone() };
        let aws = Arc::new(AwsClient::connect(&settings).await?);
        let configured = aws.region().and_then(|r| r.parse().ok());
        let karpctl = std::env::current_exe().map_err(|e| Error::failed("cannot find karpctl's own file").because(e.to_string()))?;
        let tools = AwsSettings { region: settings.region.clone().or_else(|| aws.region()), profile: settings.profile.clone() };
        let helm = HelmCli { program: program(self.globals.helm.as_ref(), "helm"), karpctl, aws: tools.clone() };
        let eksctl = EksctlCli { program: program(self.globals.eksctl.as_ref(), "eksctl"), aws: tools };
        let ports = Ports { kube: Arc::new(Connector::new(aws.clone())), aws, helm: Arc::new(helm), eksctl: Arc::new(eksctl) };
        Ok((ports, configured))
    }
}

fn program(given: Option<&PathBuf>, name: &str) -> PathBuf {
    given.cloned().unwrap_or_else(|| name.into())
}

#[expect(clippy::exit, reason = "the second interruption leaves at once, whatever runs")]
fn leave(exit: Exit) {
    std::process::exit(exit.code().into());
}
