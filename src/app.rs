//! The composition root: the only place that names adapters.

use crate::adapters::aws::{AwsClient, AwsSettings};
use crate::adapters::eksctl::EksctlCli;
use crate::adapters::helm::HelmCli;
use crate::adapters::kube::Connector;
use crate::adapters::registry::PublicRegistry;
use crate::adapters::workstation::ThisMachine;
use crate::adapters::{Versions, clear_left_over, this_process};
use crate::commands::args::GlobalArgs;
use crate::engine::Claim;
use crate::env::Env;
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::facts::{Probed, ToolFacts};
use crate::ports::{ClusterAccess, Eksctl as _, Helm as _, Ports};
use crate::report::{Printer, Verbosity};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long what was dropped may take to end.
const STILL: Duration = Duration::from_secs(1);

/// Whether something that was left running had to be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// What is known of the world may be of before its end.
    Yes,
    /// Nothing was left running.
    No,
}

/// What every command is given.
pub struct App {
    /// The flags that every command takes.
    pub globals: GlobalArgs,
    /// The environment.
    pub env: Env,
    /// The only way to print.
    pub printer: Arc<Printer>,
    /// Set by the first interruption.
    pub cancel: CancellationToken,
    // Set by the second.
    enough: CancellationToken,
    terminated: Arc<AtomicBool>,
    // A karpctl that this one runs writes to the terminal, and draws there.
    lent: Arc<AtomicBool>,
    // Nothing is changed just now, so nothing must be finished.
    reading: Arc<AtomicBool>,
    warned: Mutex<BTreeSet<String>>,
    /// The spec file's text where it is a pipe, which gives it once.
    pub(crate) piped_spec: OnceLock<String>,
    versions: Versions,
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
        let printer = Arc::new(Printer::new(globals.color, verbosity, env.letters, env.ci));
        Self {
            globals,
            env,
            printer,
            cancel: CancellationToken::new(),
            enough: CancellationToken::new(),
            terminated: Arc::default(),
            lent: Arc::default(),
            reading: Arc::default(),
            warned: Mutex::default(),
            piped_spec: OnceLock::new(),
            versions: Versions::default(),
        }
    }

    /// Warns of what several looks come upon, once.
    pub fn warn_once(&self, text: &str) {
        if self.warned.lock().is_ok_and(|mut warned| warned.insert(text.to_owned())) {
            self.printer.warn(text);
        }
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
            // Whoever has had enough drops the command: what it runs is killed, what it keeps in files is removed.
            tokio::select! {
                ended = command => ended,
                () = self.enough.cancelled() => Ok(self.interrupted()),
            }
        });
        if self.enough.is_cancelled() {
            self.printer.clear();
            self.printer.status("left in the middle of it; `karpctl status` shows how things stand");
        }
        // A question to a terminal that nobody answers must not keep the process.
        runtime.shutdown_background();
        ended
    }

    /// The first SIGINT, SIGTERM or SIGHUP cuts off what only reads, and lets what changes something finish; the second leaves at once.
    fn watch_signals(&self) -> Result<()> {
        let watch = |kind: SignalKind, exit: Exit| -> Result<()> {
            let mut stream = signal(kind).map_err(|e| Error::failed("cannot watch for signals").because(e.to_string()))?;
            let (cancel, enough, terminated) = (self.cancel.clone(), self.enough.clone(), Arc::clone(&self.terminated));
            let (printer, lent, reading) = (Arc::clone(&self.printer), Arc::clone(&self.lent), Arc::clone(&self.reading));
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    terminated.store(exit == Exit::Terminated, Ordering::Relaxed);
                    if cancel.is_cancelled() {
                        enough.cancel();
                        // What stands still, waiting for something else, cannot be dropped.
                        tokio::time::sleep(STILL).await;
                        printer.clear();
                        leave(exit);
                    }
                    // While a question waits nothing is under way, and another karpctl says it itself.
                    if !printer.asks() && !lent.load(Ordering::Relaxed) && !reading.load(Ordering::Relaxed) {
                        printer.status("interrupted: finishing what is under way; interrupt again to leave at once");
                    }
                    cancel.cancel();
                }
            });
            Ok(())
        };
        watch(SignalKind::interrupt(), Exit::Interrupted)?;
        watch(SignalKind::terminate(), Exit::Terminated)?;
        // Whoever started it by nohup wants it to outlive the terminal.
        if this_process::ignores_hangup() { Ok(()) } else { watch(SignalKind::hangup(), Exit::Terminated) }
    }

    /// Reads what an interruption may cut off: a service that never answers is not waited for.
    pub async fn read<T>(&self, reading: impl Future<Output = Result<T>>) -> Result<T> {
        self.reading.store(true, Ordering::Relaxed);
        let read = tokio::select! {
            read = reading => read,
            () = self.cancel.cancelled() => Err(Error::new(ErrorKind::Interrupted, "interrupted; nothing was changed")),
        };
        self.reading.store(false, Ordering::Relaxed);
        read
    }

    /// Runs another karpctl, which has the terminal meanwhile: an interruption reaches it as well, and what it says is enough.
    pub fn lend_terminal<T>(&self, run: impl FnOnce() -> T) -> T {
        self.lent.store(true, Ordering::Relaxed);
        let came_to = run();
        self.lent.store(false, Ordering::Relaxed);
        came_to
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

    /// This run, as one that wants to work on a cluster.
    #[must_use]
    pub fn claim(&self, command: &str) -> Claim {
        let since = jiff::Timestamp::now();
        let process = this_process::identity();
        let run = format!("{process}/{}", since.as_nanosecond());
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Claim { holder: this_process::person(), command: command.to_owned(), since, process, run: digest(&run) }
    }

    /// Whether the process of another run's claim lives; `None` where it is of another machine.
    #[must_use]
    pub fn lives(process: &str) -> Option<bool> {
        this_process::lives(process)
    }

    /// Waits for the tools that karpctls which are dead have left running, and clears away what those have left behind. Fails where a tool
    /// does not end in that time.
    pub async fn clear_left_over(&self, longest: Duration) -> Result<Waited> {
        let begun = Instant::now();
        let mut waited = Waited::No;
        while let Some(dir) = clear_left_over().first() {
            if waited == Waited::No {
                self.printer.status(&format!(
                    "a helm or eksctl that a killed karpctl left running is still at work (in {}); waiting for its end",
                    dir.display()
                ));
                waited = Waited::Yes;
            }
            if begun.elapsed() >= longest {
                return Err(Error::new(ErrorKind::Timeout, "a helm or eksctl that a killed karpctl left running does not end")
                    .because(format!("it works in {}", dir.display()))
                    .hint(format!("see which it is: `fuser --verbose {}/.held`; end it, then run this again", dir.display())));
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
                () = self.cancel.cancelled() => return Err(Error::new(ErrorKind::Interrupted, "interrupted while waiting for a tool that was left running")),
            }
        }
        Ok(waited)
    }

    /// This machine.
    #[must_use]
    pub fn workstation(&self) -> ThisMachine {
        ThisMachine { versions: self.versions.clone() }
    }

    /// Chart registries.
    #[must_use]
    pub const fn registry(&self) -> PublicRegistry {
        PublicRegistry
    }

    fn helm(&self, karpctl: PathBuf, aws: AwsSettings) -> HelmCli {
        HelmCli { program: program(self.globals.helm.as_ref(), "helm"), karpctl, aws, versions: self.versions.clone() }
    }

    /// The helm and the eksctl that would run.
    pub async fn tools(&self) -> (Probed<ToolFacts>, Probed<ToolFacts>) {
        let none = AwsSettings { region: None, profile: None };
        let helm = self.helm(PathBuf::new(), none.clone());
        let eksctl = EksctlCli { program: program(self.globals.eksctl.as_ref(), "eksctl"), aws: none };
        let (helm, eksctl) = tokio::join!(helm.facts(), eksctl.facts());
        (Probed::of(helm), Probed::of(eksctl))
    }

    /// The profiles of the AWS configuration files.
    pub async fn profiles(&self) -> Vec<String> {
        crate::adapters::aws::profiles().await
    }

    /// The ports on the real world, and the region that the AWS configuration names.
    pub async fn connect(&self, region: Option<&str>) -> Result<(Ports, Option<crate::spec::Region>)> {
        self.connect_as(region, self.globals.profile.as_deref()).await
    }

    /// As [`Self::connect`], with this profile.
    pub async fn connect_as(&self, region: Option<&str>, profile: Option<&str>) -> Result<(Ports, Option<crate::spec::Region>)> {
        let settings = AwsSettings { region: region.map(str::to_owned), profile: profile.map(str::to_owned) };
        let aws = Arc::new(AwsClient::connect(&settings).await?);
        let configured = aws.region().and_then(|r| r.parse().ok());
        let karpctl = std::env::current_exe().map_err(|e| Error::failed("cannot find karpctl's own file").because(e.to_string()))?;
        let tools = AwsSettings { region: settings.region.clone().or_else(|| aws.region()), profile: settings.profile.clone() };
        let helm = self.helm(karpctl, tools.clone());
        let eksctl = EksctlCli { program: program(self.globals.eksctl.as_ref(), "eksctl"), aws: tools };
        let ports = Ports { kube: Arc::new(Connector::new(aws.clone())), aws, helm: Arc::new(helm), eksctl: Arc::new(eksctl) };
        Ok((ports, configured))
    }
}

/// What differs for each run, in the characters that a tag and a request's token may have.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(12).map(|b| format!("{b:02x}")).collect()
}

fn program(given: Option<&PathBuf>, name: &str) -> PathBuf {
    given.cloned().unwrap_or_else(|| name.into())
}

#[expect(clippy::exit, reason = "the second interruption leaves at once, whatever runs")]
fn leave(exit: Exit) {
    std::process::exit(exit.code().into());
}
