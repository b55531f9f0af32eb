//! Amounts as Kubernetes writes them: `1930m`, `7244Mi`, `1e3`, `2`.

/// Thousandths of CPU; a text that is no amount counts as none.
pub(crate) fn milli_cpu(text: &str) -> i64 {
    whole(thousandths(text).unwrap_or(0.0))
}

/// Whole units (bytes, pods); a text that is no amount counts as none.
pub(crate) fn units(text: &str) -> i64 {
    whole(thousandths(text).unwrap_or(0.0) / 1000.0)
}

/// Exact for every amount that a node can have; beyond, the largest that there is.
#[expect(clippy::cast_possible_truncation, reason = "`as` stops at the largest value, which is what is wanted of an absurd amount")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

fn thousandths(text: &str) -> Option<f64> {
    let text = text.trim();
    let suffix = text.trim_start_matches(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let number: f64 = text[..text.len() - suffix.len()].parse().ok()?;
    let factor = match suffix {
        "" => 1e3,
        "n" => 1e-6,
        "u" => 1e-3,
        "m" => 1.0,
        "k" => 1e6,
        "M" => 1e9,
        "G" => 1e12,
        "T" => 1e15,
        "P" => 1e18,
        "E" => 1e21,
        "Ki" => 1e3 * 1024.0,
        "Mi" => 1e3 * 1024.0_f64.powi(2),
        "Gi" => 1e3 * 1024.0_f64.powi(3),
        "Ti" => 1e3 * 1024.0_f64.powi(4),
        "Pi" => 1e3 * 1024.0_f64.powi(5),
        "Ei" => 1e3 * 1024.0_f64.powi(6),
        exponent => 1e3 * 10.0_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?.clamp(-30, 30)),
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_writes() {
        for (text, milli) in [("1930m", 1930), ("2", 2000), ("0.5", 500), ("1e3", 1_000_000), ("100u", 0), ("-1", -1000), ("2k", 2_000_000)]
        {
            assert_eq!(milli_cpu(text), milli, "{text}");
        }
        for (text, bytes) in
            [("7244Mi", 7_595_884_544), ("1Gi", 1 << 30), ("128974848", 128_974_848), ("1G", 1_000_000_000), ("500m", 1), ("29", 29)]
        {
            assert_eq!(units(text), bytes, "{text}");
        }
        for text in ["", "Mi", "1Zi", "one", "1e", "\u{1b}[31m", "1e999999999999", "é"] {
            assert_eq!(units(text), 0, "{text}");
        }
        assert_eq!(units("99999999999999999999Ei"), i64::MAX);
    }
}
