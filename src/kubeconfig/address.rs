//! Addresses as Go's net/url reads them: what a client makes of the URL of an API server or of a proxy.

use std::net::IpAddr;

/// Why a client does not get to an https server by this address. `None`: it does.
#[must_use]
pub fn server_problem(server: &str) -> Option<String> {
    let Some(url) = Url::parse(server) else {
        return Some(format!("host must be a URL or a host:port pair: \"{server}\""));
    };
    if url.host.is_empty() || !url.scheme.eq_ignore_ascii_case("https") {
        let form = if url.host.is_empty() { "has no https:// before its host" } else { "is not an https URL" };
        return Some(format!("the API server `{server}` {form}: over plain http no plugin is run and no credential is sent"));
    }
    if url.port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err()) {
        return Some(format!("the API server `{server}` has an invalid port"));
    }
    url.user.then(|| format!("the API server `{server}` names a user, who is sent instead of every other credential"))
}

/// Why a client refuses a proxy. `None`: it takes it.
#[must_use]
pub fn proxy_problem(proxy: &str) -> Option<String> {
    let url = Url::parse(proxy);
    match url.as_ref().map(|url| url.scheme.to_ascii_lowercase()).as_deref() {
        Some("http" | "https" | "socks5") if url.as_ref().is_some_and(|url| url.host.is_empty()) => {
            Some("its proxy-url names no host".into())
        }
        Some("http" | "https" | "socks5") => None,
        Some(scheme) => Some(format!("unsupported scheme \"{scheme}\" of proxy-url, must be http, https, or socks5")),
        None => Some("its proxy-url could not be parsed".into()),
    }
}

/// Where an address leads: however two are written, they lead to one place where these are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// In lower case, without a dot at its end.
    pub host: String,
    port: u16,
    path: String,
}

impl Target {
    /// `None`: it is no address of an https server.
    #[must_use]
    pub fn of(server: &str) -> Option<Self> {
        let url = Url::parse(server).filter(|url| url.scheme.eq_ignore_ascii_case("https") && !url.host.is_empty())?;
        Some(Self {
            host: url.host.trim_end_matches('.').to_ascii_lowercase(),
            port: url.port.filter(|port| !port.is_empty()).map_or(Some(443), |port| port.parse().ok())?,
            path: url.path.trim_end_matches('/').to_owned(),
        })
    }

    /// Whether it stays on this machine, where a tunnel may begin.
    #[must_use]
    pub fn is_on_this_machine(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// How an API server is reached.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// Its address.
    pub server: &'a str,
    /// The name that its certificate must be for, where that is not the address's.
    pub tls_server_name: Option<&'a str>,
    /// Whether a proxy stands between.
    pub by_proxy: bool,
}

/// Where a way leads, compared with the API server that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// To it.
    There,
    /// To what shows its certificate, whatever stands between.
    ToItsCertificate,
    /// Into a tunnel that begins on this machine; it does not say where it ends.
    IntoTunnel,
    /// By another name or a proxy, of which neither says where it ends.
    AnotherWay,
    /// To another API server.
    Elsewhere,
    /// To none: it is no address of one.
    Nowhere,
}

impl Way<'_> {
    /// Where it leads, if that API server is meant.
    #[must_use]
    pub fn leads(&self, endpoint: &str) -> Leads {
        let (Some(here), Some(there)) = (Target::of(self.server), Target::of(endpoint)) else { return Leads::Nowhere };
        match self.tls_server_name {
            _ if here == there => Leads::There,
            Some(name) if name.eq_ignore_ascii_case(&there.host) => Leads::ToItsCertificate,
            _ if here.is_on_this_machine() => Leads::IntoTunnel,
            None if !self.by_proxy => Leads::Elsewhere,
            _ => Leads::AnotherWay,
        }
    }
}

/// The parts that matter here.
struct Url<'a> {
    scheme: &'a str,
    user: bool,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
}

impl<'a> Url<'a> {
    /// `None`: Go would not parse it.
    fn parse(text: &'a str) -> Option<Self> {
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return None;
        }
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, rest) = scheme(text)?;
        let rest = rest.split('?').next().unwrap_or_default();
        let Some(authority) = rest.strip_prefix("//") else {
            // A colon in the first segment of a path looks like a scheme, and is refused.
            let first = rest.split('/').next().unwrap_or_default();
            return (!scheme.is_empty() || !first.contains(':')).then_some(Self { scheme, user: false, host: "", port: None, path: "" });
        };
        let (authority, path) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
        if !escapes_are_whole(path) {
            return None;
        }
        let (user, host) = authority.rsplit_once('@').map_or((false, authority), |(_, host)| (true, host));
        let (name, port) = match host.strip_prefix('[') {
            Some(inside) => {
                let (name, after) = inside.split_once(']')?;
                (name, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None => host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
        };
        let digits = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()));
        let known = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:[]<>\"".contains(c);
        (digits && name.chars().all(known)).then_some(Self { scheme, user, host: name, port, path })
    }
}

/// What stands before the first colon, where it is a scheme. `None`: the text begins with a colon.
fn scheme(text: &str) -> Option<(&str, &str)> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at > 0 => return Some((&text[..at], &text[at + 1..])),
            ':' => return None,
            _ => break,
        }
    }
    Some(("", text))
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.len() >= 2 && after.bytes().take(2).all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        for good in ["https://h", "HTTPS://h:1", "https://h/p?q#f", "https://[::1]:6443", "https://h:", "https://a_b.c", "https://é"] {
            assert_eq!(server_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "h:1",
            "127.0.0.1:6443",
            "//h",
            "https:h",
            "https://",
            "https:///x",
            "http://h",
            "ftp://h",
            "https://h:x",
            "https://h:99999",
            "https://h%zz",
            "https://h x",
            "https://[::1",
            "https://a@h",
            "https://h\n",
            ":",
            "https://h/%z",
        ] {
            assert!(server_problem(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn one_place_may_be_written_in_several_ways() {
        let place = |server: &str| Target::of(server).unwrap();
        let endpoint = place("https://0A1B.gr7.us-west-2.eks.amazonaws.com");
        for same in [
            "HTTPS://0a1b.GR7.us-west-2.eks.amazonaws.com",
            "https://0A1B.gr7.us-west-2.eks.amazonaws.com./",
            "https://0A1B.gr7.us-west-2.eks.amazonaws.com:443/",
        ] {
            assert_eq!(place(same), endpoint, "{same}");
        }
        for other in [
            "https://0A1C.gr7.us-west-2.eks.amazonaws.com",
            "https://0A1B.gr7.us-west-2.eks.amazonaws.com:8443",
            "https://0A1B.gr7.us-west-2.eks.amazonaws.com/k8s/clusters/c-1",
        ] {
            assert_ne!(place(other), endpoint, "{other}");
        }
        assert_eq!(place("https://[::1]:6443"), place("https://[::1]:6443/"));
        for (server, here) in
            [("https://localhost:8443", true), ("https://127.0.0.2", true), ("https://[::1]", true), ("https://10.0.0.1", false)]
        {
            assert_eq!(place(server).is_on_this_machine(), here, "{server}");
        }
        for none in ["", "h:1", "http://h", "https://h:99999", "https://"] {
            assert_eq!(Target::of(none), None, "{none}");
        }
    }

    #[test]
    fn proxies_have_one_of_three_schemes() {
        for good in ["http://h", "HTTP://h", "https://h:1", "socks5://h"] {
            assert_eq!(proxy_problem(good), None, "{good}");
        }
        for bad in ["h:1", "gopher://h", "//h", "socks5h://h", ":", "http://a b", "http://"] {
            assert!(proxy_problem(bad).is_some(), "{bad}");
        }
    }
}
