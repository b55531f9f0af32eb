//! The page of `--report`: whole, escaped, and shown by a real browser without a complaint.

use crate::docs::has;
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
use std::path::Path;
use std::process::Command;

const FOREIGN: &str = "<script>alert('x')</script> & \"quoted\"";

fn planned(facts: &Facts) -> Plan {
    planned_for(Direction::Apply, facts)
}

fn planned_for(direction: Direction, facts: &Facts) -> Plan {
    let goal = Goal { select: StepId::ALL.into(), direction, ownership: Ownership::OursOnly };
    plan(&all(), &spec("1.14.1"), facts, &goal)
}

/// A page of a plan of which nothing was begun.
fn unbegun(plan: &Plan) -> Page<'_> {
    let stage = Stage::Planned;
    Page { command: "", written: "", plan, run: None, refused: None, stage, findings: &[], inventory: &[], versions: &[] }
}

/// What stands below a heading.
#[track_caller]
fn section<'h>(html: &'h str, id: &str) -> &'h str {
    let (_, rest) = html.split_once(&format!("<h2 id=\"{id}\">")).unwrap_or_else(|| panic!("no {id} in {html}"));
    rest.split("<h2").next().unwrap()
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
        fixes: vec![Fix {
            title: "install a newer one".into(),
            command: vec!["karpctl".into(), "versions".into()],
            safe: false,
            edit: None,
            verbatim: false,
        }],
        accepted: None,
        heals: false,
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
        refused: None,
        stage,
        findings: &[finding()],
        inventory: &inventory(&world.spec, &facts),
        versions: &[("Karpenter".into(), "1.14.1".into())],
    };
    (page(&shown, |_| "Runs `helm`.\n\nThen it waits.").unwrap(), plan.steps.len())
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
    let steps = section(&html, "steps");
    assert!(steps.contains("<p>Runs <code>helm</code>.</p>\n<p>Then it waits.</p>"), "{steps}");
    // The cluster decides how long it took, and the stack beside it does not.
    let marked = |id: &str| html.split("<tr>").any(|row| row.contains(&format!("#step-{id}\"")) && row.contains("· critical"));
    assert!(marked("cluster") && marked("crds") && !marked("stack"));
}

#[tokio::test(start_paused = true)]
async fn findings_and_versions_have_a_row_each() {
    let html = html(Stage::Over).await.0;
    let findings = section(&html, "findings");
    assert_eq!(findings.matches("<tr>").count(), 2, "a heading and a finding: {findings}");
    for said in [
        "<td class=\"is-warn\">warn</td><td><code>eksctl-version</code></td><td>eksctl: &lt;script&gt;",
        "<br><span class=\"soft\">fix: install a newer one: <code>karpctl versions</code></span>",
    ] {
        assert!(findings.contains(said), "`{said}` is not in {findings}");
    }
    let versions = section(&html, "versions");
    assert!(versions.contains("<tr><th scope=\"row\">Karpenter</th><td>1.14.1</td></tr>"), "{versions}");
}

#[tokio::test(start_paused = true)]
async fn the_graph_has_a_box_for_each_step_and_a_line_for_each_need() {
    let html = html(Stage::Over).await.0;
    let graph = section(&html, "graph");
    let plan = planned(&Facts::default());
    assert_eq!(graph.matches("<rect ").count(), plan.steps.len(), "{graph}");
    let needs: usize = plan.steps.iter().map(|step| step.needs.len()).sum();
    assert!(needs > plan.steps.len() && graph.matches("<path ").count() == needs, "{needs} needs: {graph}");
    for step in &plan.steps {
        assert!(graph.contains(&format!("<a href=\"#step-{}\" class=\"", step.id)), "no link to {}: {graph}", step.id);
        assert!(graph.contains(&format!(">{}</text>", step.id)), "{} is not named: {graph}", step.id);
    }
    for (id, class) in [("stack", "done"), ("cluster", "done critical"), ("crds", "failed critical"), ("chart", "not-run")] {
        assert!(graph.contains(&format!("<a href=\"#step-{id}\" class=\"{class}\"><rect ")), "{id} is not {class}: {graph}");
    }
}

/// One needs more than the step before it, and the lines to those are on no way that decides.
#[tokio::test(start_paused = true)]
async fn of_the_steps_that_decide_each_leads_to_the_next() {
    for stage in [Stage::Planned, Stage::Over] {
        let html = html(stage).await.0;
        let graph = section(&html, "graph");
        let deciding: Vec<&str> = graph.split("<a href=\"#step-").skip(1).filter(|a| a.contains(" critical\"")).collect();
        assert!(deciding.len() >= 2, "{graph}");
        assert_eq!(graph.matches(" class=\"critical\"/>").count(), deciding.len() - 1, "{graph}");
    }
    // By needs alone there are more lines between them.
    let plan = planned(&Facts::default());
    let usual = plan.steps.iter().map(|step| (step.id, f64::from(step.usual_seconds))).collect();
    let critical = plan.critical_steps(&usual);
    let between =
        plan.steps.iter().filter(|s| critical.contains(&s.id)).flat_map(|s| &s.needs).filter(|need| critical.contains(need)).count();
    assert!(between > critical.len() - 1, "{critical:?}");
}

#[test]
fn a_way_back_has_no_checks_and_takes_back_what_the_way_up_does() {
    let said = |direction| {
        let plan = planned_for(direction, &Facts::default());
        let html = page(&unbegun(&plan), |_| "Makes it.").unwrap();
        let leads = html.matches("<p class=\"soft\">What it does on the way up:</p>\n<p>Makes it.</p>").count();
        (section(&html, "findings").trim().to_owned(), leads, plan.steps.len())
    };
    let back = said(Direction::Remove);
    assert!(back.0.ends_with("<p>No check runs before the way back.</p>") && back.1 == back.2 && back.1 > 0, "{back:?}");
    let up = said(Direction::Apply);
    assert!(up.0.ends_with("<p>The checks before the plan found nothing to say.</p>") && up.1 == 0, "{up:?}");
}

#[test]
fn what_is_refused_is_said_with_the_reason() {
    let plan = planned(&Facts::default());
    let error = Error::refused(FOREIGN).because("also: the clock").hint("`karpctl versions`");
    let html = page(&Page { refused: Some(&error), ..unbegun(&plan) }, |_| "").unwrap();
    let (head, _) = html.split_once("<main").unwrap();
    let escaped = "<p class=\"is-failed\">&lt;script&gt;";
    for said in [
        "class=\"verdict failed\">Refused; nothing was changed<",
        escaped,
        "<li>also: the clock</li>",
        "<li><code>karpctl versions</code></li>",
    ] {
        assert!(head.contains(said), "`{said}` is not in {head}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_says_how_far_things_are() {
    let (planned, running) = (html(Stage::Planned).await.0, html(Stage::Running).await.0);
    assert!(planned.contains("Planned; nothing was changed yet"));
    assert!(running.contains("Not finished when this page was written"));
    // Nothing took any time yet.
    let columns = |html: &str| (html.contains("<th scope=\"col\">Took</th>"), section(html, "timeline").matches("</td>").count());
    let ((took_planned, cells_planned), (took, cells)) = (columns(&planned), columns(&running));
    assert!(!took_planned && took && cells * 3 == cells_planned * 4, "{cells_planned} and {cells}");
    assert!(planned.contains("<h1>karpctl: demo in us-west-2 of account 111122223333 with Karpenter 1.14.1</h1>"), "{planned}");
}

#[test]
fn an_interrupted_run_is_not_called_failed() {
    let plan = planned(&Facts::default());
    let error = Error::new(ErrorKind::Interrupted, "interrupted");
    let stopped = StepReport { step: StepId::Stack, outcome: Outcome::Failed { error }, began_ms: 0, elapsed_ms: 9 };
    let run = RunReport { steps: vec![stopped], ..run(&plan) };
    let shown = Page { run: Some(&run), stage: Stage::Over, ..unbegun(&plan) };
    let html = page(&shown, |_| "").unwrap();
    assert!(html.contains(">Interrupted<") && html.contains("stopped: interrupted") && !html.contains("steps failed"), "{html}");
}

/// Has a browser make something of the page, as these words say; a page that it complains of fails.
fn browser(page: &Path, words: &[String]) {
    let dir = tempfile::tempdir().unwrap();
    let ended = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0", "--window-size=1100,2600"])
        .arg(format!("--user-data-dir={}", dir.path().display()))
        .args(words)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    // Whatever a page does wrong, a broken policy or a missing file, the browser writes to its console.
    assert!(!said.contains("CONSOLE"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_browser_shows_it_without_a_complaint() {
    if !has("chromium") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let file = at("report.html");
    std::fs::write(&file, html(Stage::Over).await.0).unwrap();
    let picture = |name: &str, more: &[&str]| {
        let words = [format!("--screenshot={}", at(name).display())].into_iter().chain(more.iter().map(|&word| word.to_owned()));
        browser(&file, &words.collect::<Vec<_>>());
        let png = std::fs::read(at(name)).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 20_000, "{name} has {} bytes", png.len());
        png
    };
    let light = picture("report.png", &[]);
    assert!(light != picture("dark.png", &["--blink-settings=preferredColorScheme=0"]), "it looks the same to whoever prefers dark");
    if let Some(keep) = std::env::var_os("KARPCTL_KEEP_PICTURES") {
        for name in ["report.png", "dark.png", "report.html"] {
            std::fs::copy(at(name), Path::new(&keep).join(name)).unwrap();
        }
    }
}

/// What is folded away on the screen, all but the step that failed, stands on paper.
#[tokio::test(start_paused = true)]
async fn on_paper_every_step_is_open() {
    if !has("chromium") || !has("pdftotext") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, paper) = (dir.path().join("report.html"), dir.path().join("report.pdf"));
    let (html, steps) = html(Stage::Over).await;
    let open = html.matches("<details id=\"step-crds\" open>").count();
    assert!(html.matches("<details id=\"step-").count() == steps && html.matches(" open>").count() == open, "{html}");
    std::fs::write(&file, html).unwrap();
    browser(&file, &["--no-pdf-header-footer".to_owned(), format!("--print-to-pdf={}", paper.display())]);
    let text = Command::new("pdftotext").arg(&paper).arg("-").output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(text.matches("Then it waits.").count(), steps, "{text}");
}

#[tokio::test(start_paused = true)]
async fn by_keyboard_the_content_is_one_step_away() {
    let html = html(Stage::Over).await.0;
    let (_, first) = html.split_once("<a ").unwrap();
    assert!(first.starts_with("class=\"skip\" href=\"#main\">") && html.contains("<main id=\"main\">"), "{first}");
    assert!(!html.contains("tabindex"), "nothing is taken out of the order of the keyboard");
}
