//! A service that could not be reached: where it was looked for, by which proxy, and why it did not answer, in words.

use super::errors::{Call, Seen};
use super::http::proxy_of;
use crate::error::{Error, ErrorKind};
use crate::knowledge::unknown_region;
use crate::spec::Region;

/// What helps where it is not known which of them it is.
const LOOK: &str = "check the network, the region, HTTPS_PROXY and NO_PROXY, and AWS_ENDPOINT_URL if it is set";

/// A service whose answer is no answer of its own, or says that it cannot be had now.
pub(super) fn unreachable(call: &Call<'_>, why: &str, seen: &Seen) -> Error {
    let endpoint = endpoint(call, seen);
    let error = Error::new(ErrorKind::Unreachable, &call.doing).because(format!("{} at {endpoint}: {why}", call.action));
    if why.contains("Throttl") || why.contains("LimitExceeded") || why.contains("TooManyRequests") {
        return error.hint("AWS asks to slow down, and went on doing so; wait a minute and run it again");
    }
    of_that_region(error, &endpoint).hint(LOOK)
}

/// A request that did not come to a service. `chain` is what each library below the SDK says of it, outermost first.
pub(super) fn unsent(call: &Call<'_>, chain: &str, seen: &Seen) -> Error {
    let error = Error::new(ErrorKind::Unreachable, &call.doing);
    if let Some(endpoint) = no_address(chain) {
        let lacks_scheme = chain.contains("endpoint must contain scheme");
        let meant = if lacks_scheme { format!("no address with a scheme; http://{endpoint}?") } else { "no address".to_owned() };
        return error
            .because(format!("{} at {endpoint}: that is {meant}", call.action))
            .hint("AWS_ENDPOINT_URL (of one service, such as AWS_ENDPOINT_URL_STS), or endpoint_url of the profile, is a whole URL");
    }
    let endpoint = endpoint(call, seen);
    let proxy = proxy_of(&endpoint);
    let named = proxy.as_ref().map_or_else(String::new, |proxy| format!("the proxy {} ({})", proxy.address, proxy.variable));
    let cause = match &proxy {
        Some(_) if is_of_proxy(chain, &endpoint) => format!("{named}: {}", in_words(chain, "proxy")),
        Some(_) => format!("by {named}: {}", in_words(chain, "endpoint")),
        None => in_words(chain, "endpoint"),
    };
    let error = error.because(format!("{} at {endpoint}: {cause}", call.action));
    let error = of_that_region(error, &endpoint).detail(chain);
    if is_of_certificate(chain) {
        return error.hint("a proxy that ends TLS needs its CA here: AWS_CA_BUNDLE or SSL_CERT_FILE name a PEM file");
    }
    match &proxy {
        Some(proxy) => error
            .hint(format!("mend {}, or unset it where AWS is reached without; what NO_PROXY names is asked without it", proxy.variable)),
        None => error.hint(LOOK),
    }
}

/// Where the service was looked for.
fn endpoint(call: &Call<'_>, seen: &Seen) -> String {
    let service = call.service();
    // The SDK names services as their signing does not: it is `ssm` here and `SSM` there, `cloudformation` and `CloudFormation`.
    seen.endpoint(service).unwrap_or_else(|| format!("the {service} endpoint"))
}

/// A region that nobody knows may be why nobody is there.
fn of_that_region(error: Error, endpoint: &str) -> Error {
    let of_unknown = |label: &str| label.parse::<Region>().is_ok().then(|| unknown_region(label)).flatten();
    endpoint.split(['/', '.', ':']).find_map(of_unknown).into_iter().fold(error, Error::because)
}

/// The endpoint that the SDK could not make an address of, as it was given.
fn no_address(chain: &str) -> Option<&str> {
    Some(chain.split_once("failed to apply endpoint `")?.1.split_once('`')?.0)
}

/// Whether it is the proxy that was not reached, and not who is asked through it: TLS is between the two ends.
fn is_of_proxy(chain: &str, endpoint: &str) -> bool {
    chain.contains("tunnel error") || chain.contains("connect timeout") || endpoint.starts_with("http:") && chain.contains("(Connect)")
}

fn is_of_certificate(chain: &str) -> bool {
    chain.contains("certificate") || chain.contains("UnknownIssuer")
}

/// What the libraries say, as a person would. `such` is what they say it of.
fn in_words(chain: &str, such: &str) -> String {
    let has = |words: &str| chain.contains(words);
    if has("dns error") {
        return format!("its name is not found; there is no network, no DNS, or no such {such}");
    }
    let said = [
        ("Connection refused", "the connection is refused, as nothing listens there"),
        ("connect timeout", "there was no connection in time"),
        ("timed out", "there was no answer in time"),
        ("Network is unreachable", "there is no network to it"),
        ("No route to host", "there is no way to it in the network"),
        ("Connection reset", "the connection was broken off"),
        ("proxy authorization required", "it asks who you are: http://NAME:PASSWORD@HOST:PORT"),
        ("tunnel error: unsuccessful", "it does not connect to there"),
        ("InvalidContentType", "what answers there speaks no TLS; http:// instead of https://?"),
    ];
    if let Some((_, words)) = said.iter().find(|(theirs, _)| has(theirs)) {
        return (*words).to_owned();
    }
    // The outermost only say that it was a connection.
    let inner =
        ["dispatch failure: ", "io error: ", "client error (Connect): "].iter().fold(chain, |said, outer| said.trim_start_matches(outer));
    inner.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libraries_say_is_said_in_words() {
        let connect = "dispatch failure: io error: client error (Connect): ";
        for (said, words) in [
            ("tcp connect error: Connection refused (os error 111)", "the connection is refused, as nothing listens there"),
            (
                "dns error: failed to lookup address information: Name or service not known",
                "its name is not found; there is no network, no DNS, or no such endpoint",
            ),
            (
                "TLS handshake failed: received corrupt message of type InvalidContentType",
                "what answers there speaks no TLS; http:// instead of https://?",
            ),
            ("invalid peer certificate: UnknownIssuer", "invalid peer certificate: UnknownIssuer"),
        ] {
            assert_eq!(in_words(&format!("{connect}{said}"), "endpoint"), words);
        }
        assert_eq!(
            in_words("dispatch failure: timeout: HTTP read timeout occurred after 30s: timed out", "endpoint"),
            "there was no answer in time"
        );
    }

    #[test]
    fn a_certificate_behind_a_proxy_is_not_the_proxys() {
        let connect = "dispatch failure: io error: client error (Connect): ";
        let is = |said: &str, endpoint: &str| is_of_proxy(&format!("{connect}{said}"), endpoint);
        assert!(is("tunnel error: failed to create underlying connection: dns error", "https://sts.us-west-2.amazonaws.com"));
        assert!(is("tcp connect error: Connection refused", "http://sts.corp"));
        assert!(!is("invalid peer certificate: UnknownIssuer", "https://sts.us-west-2.amazonaws.com"));
    }

    #[test]
    fn an_endpoint_that_is_no_address_is_quoted_alone() {
        let chain = "dispatch failure: other: failed to apply endpoint `localhost:9` to request `Request { body: x }`: endpoint must contain scheme";
        assert_eq!(no_address(chain), Some("localhost:9"));
        assert_eq!(
            no_address("dispatch failure: other: failed to apply endpoint `http://` to request `Request { body: x }`: x"),
            Some("http://")
        );
        assert_eq!(no_address("dispatch failure: io error: Connection refused"), None);
    }
}
