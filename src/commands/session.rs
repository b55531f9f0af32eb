//! What most commands begin with: settings resolved, AWS asked who asks and how the cluster stands.

use super::args::VariantArgs;
use super::standing;
use super::waiting::{CALLER, LATE, SOON, patiently};
use crate::adapters::text_file;
use crate::app::App;
use crate::checks::{Situation, judge, preflight};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Caller, Facts, Probed, Topic};
use crate::finding::{Finding, Verdict};
use crate::kubeconfig::{Leads, Way};
use crate::plan::StepId;
use crate::ports::{ClusterAccess, Ports};
use crate::probe::{ProbeContext, probe};
use crate::report::{Printer, cure};
use crate::shell::quoted;
use crate::spec::layer::{Layer, Source};
use crate::spec::pinned::{Other, other_account};
use crate::spec::resolve::{Discovered, Resolving, locate, resolve};
use crate::spec::{ClusterMode, InvalidName, Meant, Partition, Region, Spec};
use crate::steps::{
    is_of_another_installer, refused_by_installer, refused_by_others, refused_by_protection, refused_removal, refused_without_nodes,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Settings, facts and ports, ready for a plan.
pub(super) struct Session {
    pub(super) spec: Spec,
    pub(super) facts: Facts,
    pub(super) ports: Ports,
    pub(super) kubeconfig: Option<ClusterAccess>,
    /// The layers that the spec came of.
    pub(super) layers: Vec<(Source, Layer)>,
    /// Why the Karpenter that karpctl installed could not be seen, and the spec's release may be another: nothing else is asked of the cluster then.
    pub(super) unseen: Option<String>,
    /// Why the cluster could not be read, where it could not: whole, with what helps.
    pub(super) unread: Option<Error>,
    /// What was read of AWS just now for this spec: the next reading leaves it out.
    pub(super) fresh: BTreeSet<Topic>,
    printer: Arc<Printer>,
}

/// The layers of flags, environment and file, first wins.
pub(super) fn layers(app: &App, variant: &VariantArgs) -> Result<Vec<(Source, Layer)>> {
    let mut layers = vec![(Source::Flag, app.globals.layer(variant)?), (Source::Environment, app.env.layer()?)];
    if let Some((path, layer)) = spec_file(app)? {
        layers.push((Source::File(path), layer));
    }
    Ok(layers)
}

/// What people call YAML files, too.
const OTHER_EXTENSION: &str = "yml";

fn spec_file(app: &App) -> Result<Option<(String, Layer)>> {
    let (path, named) = match &app.globals.file {
        Some(path) => (path.clone(), !app.globals.writes_file),
        None => (crate::spec::file::DEFAULT_FILE.into(), false),
    };
    let shown = path.display().to_string();
    let unreadable = |why: &str| {
        Error::usage(format!("cannot read the spec file {shown}"))
            .because(why)
            .hint("-f takes a YAML file in UTF-8; `karpctl generate schema` prints every field")
    };
    let text = match app.piped_spec.get() {
        Some(text) => Ok(text.clone()),
        None if text_file::is_pipe(&path) => text_file::text(&path).inspect(|text| drop(app.piped_spec.set(text.clone()))),
        None => text_file::text(&path),
    };
    match text {
        Ok(text) => crate::spec::file::parse(&shown, &text).map(|layer| Some((shown, layer))),
        Err(e) if !named && e.kind() == std::io::ErrorKind::NotFound => {
            if app.globals.file.is_none() && path.with_extension(OTHER_EXTENSION).is_file() {
                let other = path.with_extension(OTHER_EXTENSION).display().to_string();
                app.warn_once(&format!("{other} is not read: a spec file is looked for as {shown}; call it so, or name it: -f {other}"));
            }
            Ok(None)
        }
        Err(e) => Err(unreadable(&e.to_string())),
    }
}

/// What is wrong in the settings whatever AWS would say: to be said first, where AWS says nothing. The account stands for any.
fn wrong_without_aws(layers: &[(Source, Layer)], region: &Region, resolve: Resolving) -> Option<Error> {
    let any = Discovered { region: Some(region.clone()), account_id: "111122223333".parse().ok(), ..Discovered::default() };
    resolve(layers, &any).err()
}

/// The account that is named must be that of the credentials.
pub(super) fn of_that_account(layers: &[(Source, Layer)], caller: &Caller) -> Result<()> {
    let Some(Other { source, says }) = other_account(layers, caller.account.as_str()) else { return Ok(()) };
    Err(Error::refused(format!("the credentials are of account {}, and {source} says {says}", caller.account))
        .because(format!("they are {}", caller.arn))
        .hint("use the profile of that account: --profile PROFILE, or AWS_PROFILE")
        .hint("`aws sts get-caller-identity` shows whose credentials are in use")
        .hint(format!("or say that account {} is meant: --account-id {}", caller.account, caller.account)))
}

/// A kubeconfig that is named must be there: else every look into the cluster would fail one by one.
pub(super) fn kubeconfig_is_there(app: &App) -> Result<()> {
    kubeconfig_is_no_pipe(app)?;
    match &app.globals.kubeconfig {
        Some(path) if !path.exists() || path.is_dir() => Err(Error::usage(format!("there is no kubeconfig {}", path.display())).hint(
            "leave --kubeconfig out to use karpctl's own access, or make one: `aws eks update-kubeconfig --name CLUSTER --kubeconfig PATH`",
        )),
        _ => Ok(()),
    }
}

/// karpctl, and each helm that it runs, read a kubeconfig again and again; a pipe gives its text once, and keeps whoever asks again.
pub(super) fn kubeconfig_is_no_pipe(app: &App) -> Result<()> {
    app.globals.kubeconfig.as_ref().filter(|path| text_file::is_pipe(path)).map_or(Ok(()), |path| {
        Err(Error::usage(format!("cannot use the kubeconfig {}: it is a pipe", path.display()))
            .because("karpctl, and the helm that it runs, read it more than once")
            .hint("write its text to a file, and name that: --kubeconfig FILE"))
    })
}

/// What helps where a kubeconfig leads to another cluster.
const WITHOUT_KUBECONFIG: &str = "leave --kubeconfig and --context out: the way into a cluster is then what EKS says of it";

impl Session {
    /// Resolves the spec with the help of AWS. Reads the caller, the cluster and the tools. An interruption cuts it off.
    pub(super) async fn open(app: &App, variant: &VariantArgs) -> Result<Self> {
        let session = app.read(Box::pin(Self::open_by(app, variant, resolve))).await?;
        session.kubeconfig_leads_there()?;
        Ok(session)
    }

    /// The same, where the spec comes to be otherwise.
    pub(super) async fn open_by(app: &App, variant: &VariantArgs, resolve: Resolving) -> Result<Self> {
        let layers = layers(app, variant)?;
        kubeconfig_is_there(app)?;
        let region_given = layers.iter().find_map(|(_, l)| l.region.clone());
        let (ports, configured_region) = app.connect(region_given.as_deref()).await?;
        let mut discovered = Discovered { region: configured_region, ..Discovered::default() };
        let (cluster_name, region) = locate(&layers, &discovered)?;
        let say = |line: &str| app.printer.status(line);
        let caller = patiently(say, SOON, CALLER, ports.aws.caller()).await;
        let caller = caller.map_err(|e| wrong_without_aws(&layers, &region, resolve).unwrap_or(e))?;
        of_that_account(&layers, &caller)?;
        discovered.partition = Some(of_known_partition(&caller)?);
        discovered.account_id = Some(caller.account.clone());
        let cluster = patiently(say, SOON, "the answer of AWS to eks:DescribeCluster", ports.aws.cluster(cluster_name.as_str()));
        let (cluster, eksctl, helm) = tokio::join!(cluster, ports.eksctl.facts(), ports.helm.facts());
        let mut facts = Facts { caller: Probed::Known(caller), helm: Probed::of(helm), eksctl: Probed::of(eksctl), ..Facts::default() };
        let unread = cluster.as_ref().err().cloned();
        if let Some(e) = unread.clone().filter(|e| matches!(e.kind, ErrorKind::Credentials | ErrorKind::Unreachable | ErrorKind::Refused)) {
            return Err(e);
        }
        facts.cluster = Probed::of(cluster);
        discovered.kubernetes = facts.cluster.known().map(|c| c.version);
        discovered.zonal_shift = facts.cluster.known().map(|c| c.zonal_shift);
        if matches!(facts.cluster, Probed::Absent) {
            let offered = patiently(say, SOON, "the answer of AWS to eks:DescribeClusterVersions", ports.aws.cluster_versions());
            facts.cluster_versions = match offered.await {
                Ok(versions) => Probed::Known(versions),
                Err(e) => Probed::Unavailable(e.to_string()),
            };
        }
        discovered.newest_creatable =
            facts.cluster_versions.known().and_then(|versions| versions.iter().map(|offered| offered.version).max());
        let resolved = resolve(&layers, &discovered)?;
        for note in &resolved.notes {
            app.printer.status(&format!("note: {note}"));
        }
        let mut spec = resolved.spec;
        standing::refuse_newer(app, &spec.release)?;
        debug_assert_eq!(spec.region, region);
        if let Some(version) = discovered.kubernetes.filter(|v| *v != spec.kubernetes) {
            app.printer.warn(&format!("the cluster runs Kubernetes {version}, not {}: what EKS says decides", spec.kubernetes));
            spec.kubernetes = version;
        }
        let kubeconfig = app.kubeconfig();
        Ok(Self { spec, facts, ports, kubeconfig, layers, unseen: None, unread, fresh: BTreeSet::new(), printer: app.printer.clone() })
    }

    /// The spec by these layers, with what is known of the cluster.
    pub(super) fn resolved(&self, layers: &[(Source, Layer)]) -> Result<Spec> {
        let spec = &self.spec;
        let discovered = Discovered {
            region: Some(spec.region.clone()),
            account_id: Some(spec.account_id.clone()),
            partition: Some(spec.partition),
            kubernetes: Some(spec.kubernetes),
            zonal_shift: self.facts.cluster.known().map(|cluster| cluster.zonal_shift),
            newest_creatable: None,
        };
        // What EKS says decides, whatever a layer says.
        Ok(Spec { kubernetes: spec.kubernetes, ..resolve(layers, &discovered)?.spec })
    }

    /// What works with a cluster that must be there is not begun where there is none, nor where nobody could see it.
    pub(super) fn cluster_is_there(&self) -> Result<()> {
        if matches!(self.facts.cluster, Probed::Absent) {
            return Err(no_cluster(&self.spec));
        }
        self.unread.clone().map_or(Ok(()), Err)
    }

    /// A cluster is taken away only where karpctl had it made: else what is in it is not begun with, either.
    pub(super) async fn goes_with_its_cluster(&mut self, app: &App) -> Result<()> {
        self.unread.clone().map_or(Ok(()), Err)?;
        self.read_by(app, BTreeSet::from([Topic::ClusterStacks])).await?;
        refused_removal(&self.spec, &self.facts).map_or(Ok(()), Err)
    }

    /// Nor is anything begun where the stack cannot go.
    pub(super) async fn stack_can_go(&mut self, app: &App) -> Result<()> {
        self.read_by(app, BTreeSet::from([Topic::StackStatus])).await?;
        refused_by_protection(&self.spec, &self.facts).map_or(Ok(()), Err)?;
        let spec = &self.spec;
        if spec.made_elsewhere.is_some() || !self.facts.stack.known().is_some_and(|stack| spec.owns(&stack.tags)) {
            return Ok(());
        }
        self.read_by(app, [Topic::Stack, Topic::NodeRoleHolders].into()).await?;
        let facts = &self.facts;
        let unread = [facts.stack.unread(), facts.node_role.unread(), facts.node_role_ties.unread()];
        if let Some(reason) = unread.into_iter().flatten().next() {
            app.printer.warn(&format!("whether others put something into the stack, or hold its role, could not be seen: {reason}"));
        }
        refused_by_others(&self.spec, &self.facts)
    }

    /// Nor where what works by all this is not karpctl's to take away, and stays.
    pub(super) async fn karpenter_can_go(&mut self, app: &App) -> Result<()> {
        if self.spec.cluster == ClusterMode::Managed || self.facts.cluster.known().is_none() {
            return Ok(());
        }
        self.read_by(app, [Topic::Chart, Topic::Controller].into()).await?;
        // What is karpctl's is judged by the plan.
        if is_of_another_installer(&self.facts) {
            self.read_by(app, [Topic::Association, Topic::ControllerRole, Topic::NodePool].into()).await?;
        }
        refused_by_installer(&self.spec, &self.facts).map_or(Ok(()), Err)
    }

    /// Nor where nothing else makes nodes: a migration has made the node groups small, and its node pools go with the rest.
    pub(super) async fn nodes_are_made(&mut self, app: &App) -> Result<()> {
        if self.spec.cluster == ClusterMode::Managed || self.facts.cluster.known().is_none() {
            return Ok(());
        }
        self.read_by(app, [Topic::Nodes].into()).await?;
        if self.facts.karpenter_nodes.known().is_none_or(|found| found.of_node_groups.is_empty()) {
            return Ok(());
        }
        self.read_by(app, [Topic::NodeGroupShapes, Topic::Fleet].into()).await?;
        refused_without_nodes(&self.spec, &self.facts).map_or(Ok(()), Err)
    }

    /// What --kubeconfig or --context lead to must be the cluster that is meant: else that of somebody else would be changed.
    fn kubeconfig_leads_there(&self) -> Result<()> {
        let Some(access @ ClusterAccess::Kubeconfig { path, context }) = &self.kubeconfig else { return Ok(()) };
        let Some(endpoint) = self.facts.cluster.known().and_then(|cluster| cluster.endpoint.as_deref()) else { return Ok(()) };
        // What cannot be loaded is said, with its place, by whoever connects.
        let Ok(named) = self.ports.kube.named_server(access) else { return Ok(()) };
        let way = Way { server: &named.server, tls_server_name: named.tls_server_name.as_deref(), by_proxy: named.by_proxy };
        if way.leads(endpoint) != Leads::Elsewhere {
            return Ok(());
        }
        let (cluster, region) = (&self.spec.cluster_name, &self.spec.region);
        let file = path.as_ref().map(|path| path.display().to_string());
        let place = match (context, &file) {
            (Some(context), Some(file)) => format!("the context {context} of {file}"),
            (Some(context), None) => format!("the context {context}"),
            (None, file) => file.clone().unwrap_or_default(),
        };
        let alone = file.map_or_else(String::new, |file| format!(" --kubeconfig {}", quoted(&file)));
        Err(Error::refused(format!("{place} leads to another cluster than {cluster}"))
            .because(format!("it leads to {}, and the endpoint of {cluster} in {region} is {endpoint}", named.server.trim_end_matches('/')))
            .hint(WITHOUT_KUBECONFIG)
            .hint(format!("or make a context for it: `aws eks update-kubeconfig --name {cluster} --region {region}{alone}`")))
    }

    /// The refusal of a kubeconfig for a cluster that is still to be made: whatever it leads to is another one.
    pub(super) fn kubeconfig_of_another(&self) -> Option<Error> {
        (self.kubeconfig.is_some() && matches!(self.facts.cluster, Probed::Absent)).then(|| {
            Error::refused(format!("no kubeconfig leads to the cluster {}, which is still to be made", self.spec.cluster_name))
                .hint(WITHOUT_KUBECONFIG)
        })
    }

    /// Reads these topics, and keeps what is known already of caller, tools and cluster.
    pub(super) async fn read(&mut self, mut topics: BTreeSet<Topic>) {
        topics.remove(&Topic::Caller);
        topics.remove(&Topic::Tools);
        topics.remove(&Topic::Cluster);
        topics.retain(|topic| !self.fresh.remove(topic));
        if let Some(reason) = &self.unseen {
            for topic in topics.extract_if(.., |topic| topic.in_cluster()) {
                self.facts.say_unavailable(topic, reason);
            }
        }
        let asked = self.who_is_asked(&topics);
        let context = ProbeContext { spec: &self.spec, ports: &self.ports, kubeconfig: self.kubeconfig.as_ref() };
        patiently(|line| self.printer.status(line), LATE, &asked, probe(&context, &topics, &mut self.facts)).await;
    }

    /// Who says what these topics are about.
    fn who_is_asked(&self, topics: &BTreeSet<Topic>) -> String {
        let endpoint = self.facts.cluster.known().and_then(|cluster| cluster.endpoint.as_deref());
        match (topics.iter().any(|topic| topic.in_cluster()), &self.kubeconfig, endpoint) {
            (true, Some(_), _) => "the answers of AWS and of the API server of the kubeconfig".to_owned(),
            (true, None, Some(endpoint)) => format!("the answers of AWS and of the cluster's API server, {endpoint}"),
            _ => "the answers of AWS".to_owned(),
        }
    }

    /// The same, where an interruption cuts it off.
    pub(super) async fn read_by(&mut self, app: &App, topics: BTreeSet<Topic>) -> Result<()> {
        app.read(async {
            self.read(topics).await;
            Ok(())
        })
        .await
    }

    /// How things stand now: these topics, and whether the cluster is there, are read once more.
    pub(super) async fn look_again(&self, mut topics: BTreeSet<Topic>) -> Facts {
        topics.insert(Topic::Cluster);
        let mut facts = self.facts.clone();
        let context = ProbeContext { spec: &self.spec, ports: &self.ports, kubeconfig: self.kubeconfig.as_ref() };
        probe(&context, &topics, &mut facts).await;
        facts
    }

    /// The checks without which these steps are not begun. What a VPC of one's own has is read for them; the rest is known by now.
    pub(super) async fn preflight(&mut self, app: &App, steps: &BTreeSet<StepId>) -> Result<Vec<Finding>> {
        if steps.contains(&StepId::Cluster) && self.spec.vpc.is_some() {
            self.read_by(app, BTreeSet::from([Topic::OwnSubnets])).await?;
        }
        let today = jiff::Zoned::now().date();
        Ok(judge(&preflight(steps), &Situation { spec: Some(&self.spec), meant: &Meant::default(), facts: &self.facts, today }))
    }
}

/// The refusal that follows from findings, where any failed.
pub(super) fn refusal(findings: &[Finding]) -> Option<Error> {
    let failed: Vec<&Finding> = findings.iter().filter(|f| f.result == Verdict::Fail).collect();
    let (first, more) = failed.split_first()?;
    let mut error = Error::refused(format!("{}: {} [{}]", first.subject, first.message, first.id));
    for finding in more {
        error = error.because(format!("also: {}: {} [{}]", finding.subject, finding.message, finding.id));
    }
    Some(failed.iter().flat_map(|f| &f.fixes).fold(error, |e, fix| e.hint(cure(fix))))
}

/// The caller's partition, where karpctl renders for it.
fn of_known_partition(caller: &Caller) -> Result<Partition> {
    caller.arn.partition().parse().map_err(|e: InvalidName| Error::usage(format!("the credentials are of {}: {e}", caller.arn)))
}

/// The error that the cluster is not there.
fn no_cluster(spec: &Spec) -> Error {
    let (cluster, region) = (&spec.cluster_name, &spec.region);
    let error = Error::new(ErrorKind::NotFound, format!("there is no cluster {cluster} in {region} of account {}", spec.account_id))
        .hint(format!("`aws eks list-clusters --region {region}` shows which there are"));
    match spec.cluster {
        ClusterMode::Existing => error,
        ClusterMode::Managed => {
            error.hint(format!("`karpctl bootstrap --cluster-name {cluster} --region {region}` makes one with Karpenter in it"))
        }
    }
}
