//! A report with every verdict and with characters that some format gives a meaning to.

use crate::finding::{Area, DoctorReport, Finding, Fix, Place, Verdict};

/// What no format may take for its own.
pub(super) const NASTY: &str = "a|b <c> & ]]> 100% ::error::x, `d` *e* [f](g) \"h\"\nsecond: line";

/// What a terminal would obey: a title, a cleared screen by two spellings, a bell.
const ESCAPES: &str = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}2J";

/// The report.
pub(super) fn report() -> DoctorReport {
    let finding = |id: &str, area, result, place, fixes| Finding {
        id: id.into(),
        area,
        result,
        subject: format!("context a|b, helm 3.9.4{ESCAPES}"),
        message: format!("{NASTY}{ESCAPES}"),
        why: "It matters. And here is more of why.".into(),
        place,
        accepted: None,
        heals: false,
        fixes,
    };
    let place = |file: &str, line| Some(Place { file: file.into(), line });
    let mended = vec![
        Fix {
            title: "Write `v1beta1` | there".into(),
            command: vec!["kubectl".into(), "config".into(), format!("it's `one` 100%{ESCAPES}\ntwo")],
            safe: true,
            edit: None,
            verbatim: false,
        },
        Fix { title: "Take a newer helm".into(), command: Vec::new(), safe: false, edit: None, verbatim: false },
    ];
    DoctorReport::new(vec![
        finding("is-well", Area::Release, Verdict::Pass, None, Vec::new()),
        finding("is-broken", Area::Client, Verdict::Fail, place("/home/me/my kube:config,1", Some(7)), mended),
        finding("is-odd", Area::Client, Verdict::Warn, place("kube/config", None), Vec::new()),
        finding("is-odd", Area::Cluster, Verdict::Warn, None, Vec::new()),
        finding("not-asked", Area::Account, Verdict::Skip, None, Vec::new()),
    ])
}
