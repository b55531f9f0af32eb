//! Whether this machine's clock goes with AWS's.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;

pub(super) struct ClockSkew;

/// From how many seconds on AWS refuses a signature (IAM user guide, "Troubleshoot signed requests": five minutes).
const REFUSED: u64 = 300;
/// From how many seconds on it is worth a word: well above what a slow answer looks like.
const NOTICED: u64 = 60;

impl Check for ClockSkew {
    fn id(&self) -> &'static str {
        "clock-skew"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "AWS refuses a request that is signed five minutes too early or too late, and calls it a wrong signature or an expired token."
    }

    fn explain(&self) -> &'static str {
        "Compares this machine's clock with the Date that AWS's own answers carry, also those that refuse the request.\n\nWhat people see: \
         `SignatureDoesNotMatch`, `Signature expired: … is now earlier than …`, `Signature not yet current`, `RequestExpired`, \
         `InvalidSignatureException`, and from the cluster `You must be logged in to the server (Unauthorized)`. It is usual in virtual \
         machines and in WSL after the host has slept.\n\nCure: let the clock be set from the network."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clock]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let subject = "the clock of this machine";
        let Some(ahead) = read(subject, &situation.facts.clock)? else {
            return Err(Judgement::skip(subject, "AWS did not say what time it is"));
        };
        let away = ahead.unsigned_abs();
        let direction = if *ahead > 0 { "ahead of" } else { "behind" };
        let message = format!("is {} min {} s {direction} that of AWS", away / 60, away % 60);
        let cured = |judgement: Judgement| {
            judgement
                .run("let it be set from the network", ["sudo", "timedatectl", "set-ntp", "true"])
                .fix("without systemd: `sudo chronyc makestep`; on macOS: `sudo sntp -sS time.apple.com`; in WSL: `sudo hwclock -s`")
        };
        Ok(vec![match away {
            REFUSED.. => cured(Judgement::fail(subject, format!("{message}, which then refuses what is signed here"))),
            NOTICED.. => cured(Judgement::warn(subject, format!("{message}; from 5 min on requests are refused"))),
            _ => Judgement::pass(subject, "goes with that of AWS"),
        }])
    }
}
