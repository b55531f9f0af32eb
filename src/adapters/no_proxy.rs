//! What is asked without a proxy. kubectl, helm and eksctl go by the same variable, and read it as Go does (golang.org/x/net/http/httpproxy), which knows
//! more forms of an entry than the matcher here.

use hyper_util::client::proxy::matcher::Matcher;

/// Whether `NO_PROXY` names the host of an address.
pub(super) fn names(asked: &http::Uri) -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let list = set("NO_PROXY").or_else(|| set("no_proxy")).unwrap_or_default();
    // Asked of the rules with any proxy at all: it is only whether, not which.
    Matcher::builder().all("http://proxy.invalid").no(of_go(&list, port(asked))).build().intercept(asked).is_none()
}

fn port(asked: &http::Uri) -> u16 {
    asked.port_u16().unwrap_or(if asked.scheme_str() == Some("http") { 80 } else { 443 })
}

/// The entries that are about a port: `*.domain` is `.domain`, and one with a port of its own is about no other.
fn of_go(list: &str, port: u16) -> String {
    let entries = list.split(',').map(str::trim).filter_map(|entry| {
        let host = match entry.rsplit_once(':') {
            // Colons without brackets are an IPv6 address.
            Some((host, own)) if !host.contains(':') || host.ends_with(']') => (own == port.to_string()).then_some(host)?,
            _ => entry,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host))
    });
    entries.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::of_go;

    #[test]
    fn entries_are_read_as_go_reads_them() {
        for (list, wanted) in [
            ("*.amazonaws.com, localhost", ".amazonaws.com,localhost"),
            ("a.test:443,b.test:8443,c.test", "a.test,c.test"),
            ("10.0.0.0/8,fd00::/8,[fd00::1]:443,fd00::2", "10.0.0.0/8,fd00::/8,fd00::1,fd00::2"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(of_go(list, 443), wanted, "{list}");
        }
    }
}
