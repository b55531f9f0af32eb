//! The page of `--report`: whole, escaped, and shown by a real browser without a complaint.

use crate::fake::FakeWorld;
use crate::fixture::spec;
use karpctl::engine::{Goal, plan};
use karpctl::error::{Error, ErrorKind};
use karpctl::facts::Facts;
use karpctl::finding::{Area, Finding, Fix, Verdict};
use karpctl::inventory::inventory;
use karpctl::plan::{Direction, Outcome, Plan, StepId};
use karpctl::report::{Page, RunReport, Stage, StepReport, page};
use karpctl::steps::{Ownership, all};
use std::process::Command;

const FOREIGN: &str = "<script>alert('x')</script> & \"quoted\"";

fn planned(facts: &Facts) -> Plan {
    let goal = Goal { select: StepId::ALL.into(), direction: Direction::Apply, ownership: Ownership::OursOnly };
    plan(&all(), &spec("1.14.1"), facts, &goal)
}

fn run(plan: &Plan) -> RunReport {
    let report = |step, outcome, began_ms, elapsed_ms| StepReport { step, outcome, began_ms, elapsed_ms };
    let failed = Outcome::Failed { error: Error::failed("cannot install the chart").because(FOREIGN).hint(format!("see {FOREIGN}")) };
    let steps = vec![
        report(StepId::SpotRole, Outcome::Kept, 0, 0),
        report(StepId::Stack, Outcome::Done, 0, 74_000),
        report(StepId::Cluster, Outcome::Done, 0, 801_000),
        report(StepId::ControllerRole, Outcome::Done, 801_000, 4_000),
        report(StepId::Crds, failed, 805_000, 9_000),
        report(StepId::Chart, Outcome::NotRun { reason: "it needs the step `crds`, which failed".into() }, 0, 0),
    ];
    RunReport { schema: "karpctl/run/v1", ok: false, plan: plan.clone(), steps, elapsed_ms: 814_000 }
}

fn finding() -> Finding {
    Finding {
        id: "eksctl-version".into(),
        area: Area::Client,
        result: Verdict::Warn,
        subject: "eksctl".into(),
        message: FOREIGN.into(),
        why: String::new(),
        place: None,
        fixes: vec![Fix { title: "install a newer one".into(), command: Vec::new(), safe: false, edit: None }],
        accepted: None,
    }
}

/// The page, and how many steps its plan has.
async fn html(stage: Stage) -> (String, usize) {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let topics: Vec<_> = all().iter().flat_map(|s| s.reads().iter().copied()).collect();
    let facts = world.facts(&topics).await;
    let plan = planned(&Facts::default());
    let run = run(&plan);
    let shown = Page {
        command: "karpctl bootstrap --cluster-name demo",
        written: "2026-01-02 03:04:05 UTC",
        plan: &plan,
        run: (stage != Stage::Planned).then_some(&run),
        stage,
        findings: &[finding()],
        inventory: &inventory(&world.spec, &facts),
        versions: &[("Karpenter".into(), "1.14.1".into())],
    };
    (page(&shown, |_| "What it is for.").unwrap(), plan.steps.len())
}

#[tokio::test(start_paused = true)]
async fn it_tells_the_whole_run_and_escapes_what_others_wrote() {
    let (html, steps) = html(Stage::Over).await;
    assert!(!html.contains("<script"), "foreign text is not escaped");
    assert!(html.contains("&lt;script&gt;"));
    for id in StepId::ALL.into_iter().filter(|id| html.contains(&format!("href=\"#step-{id}\""))) {
        assert!(html.contains(&format!("<details id=\"step-{id}\"")), "a link to {id} leads nowhere");
    }
    for said in [
        format!("1 of {steps} steps failed; 1 never ran").as_str(),
        "arn:aws:eks:us-west-2:111122223333:cluster/demo",
        "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo",
        "arn:aws:sqs:us-west-2:111122223333:demo",
        "https://console.aws.amazon.com/eks/home?region=us-west-2#/clusters/demo",
        "13 min 21 s",
    ] {
        assert!(html.replace("&#x2f;", "/").contains(said), "`{said}` is not in the page");
    }
    for outside in ["src=\"http", "@import", "url(", "<script", "<iframe"] {
        assert!(!html.contains(outside), "the page reaches out: {outside}");
    }
    // The cluster decides how long it took, and the stack beside it does not.
    let marked = |id: &str| html.split("<tr>").any(|row| row.contains(&format!("#step-{id}\"")) && row.contains("· critical"));
    assert!(marked("cluster") && marked("crds") && !marked("stack"));
}

#[tokio::test(start_paused = true)]
async fn a_page_says_how_far_things_are() {
    assert!(html(Stage::Planned).await.0.contains("Planned; nothing was changed yet"));
    assert!(html(Stage::Running).await.0.contains("Not finished when this page was written"));
}

#[test]
fn an_interrupted_run_is_not_called_failed() {
    let plan = planned(&Facts::default());
    let error = Error::new(ErrorKind::Interrupted, "interrupted");
    let stopped = StepReport { step: StepId::Stack, outcome: Outcome::Failed { error }, began_ms: 0, elapsed_ms: 9 };
    let run = RunReport { steps: vec![stopped], ..run(&plan) };
    let stage = Stage::Over;
    let shown = Page { command: "", written: "", plan: &plan, run: Some(&run), stage, findings: &[], inventory: &[], versions: &[] };
    let html = page(&shown, |_| "").unwrap();
    assert!(html.contains(">Interrupted<") && html.contains("stopped: interrupted") && !html.contains("steps failed"), "{html}");
}

#[tokio::test(start_paused = true)]
async fn a_browser_shows_it_without_a_complaint() {
    if !Command::new("chromium").arg("--version").output().is_ok_and(|o| o.status.success()) {
        let words = "there is no chromium: `make lab` installs it";
        assert!(std::env::var_os("CI").is_none(), "{words}");
        std::io::Write::write_all(&mut std::io::stderr(), format!("\nSKIPPED, NOTHING TESTED: {words}\n\n").as_bytes()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, picture) = (dir.path().join("report.html"), dir.path().join("report.png"));
    std::fs::write(&file, html(Stage::Over).await.0).unwrap();
    let ended = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0", "--window-size=1100,2600"])
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    // Whatever a page does wrong, a broken policy or a missing file, the browser writes to its console.
    assert!(!said.contains("CONSOLE"), "{said}");
    let png = std::fs::read(&picture).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() > 20_000, "the picture has {} bytes", png.len());
    if let Some(keep) = std::env::var_os("KARPCTL_KEEP_PICTURES") {
        std::fs::copy(&picture, std::path::Path::new(&keep).join("report.png")).unwrap();
        std::fs::copy(&file, std::path::Path::new(&keep).join("report.html")).unwrap();
    }
}
