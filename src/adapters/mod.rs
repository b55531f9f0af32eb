//! The world itself: the ports as the AWS SDK, the kube client and child processes implement them. No other module knows an
//! SDK type, starts a process or opens a connection.

pub mod aws;
pub mod eksctl;
mod go_build;
pub mod helm;
pub mod kube;
pub mod kubeconfig_file;
pub mod lab;
pub mod new_file;
mod no_proxy;
mod private_dir;
pub mod process;
mod program;
pub mod registry;
pub mod releases;
pub mod text_file;
pub mod this_process;
mod tool;
mod web;
pub mod workstation;

pub use private_dir::clear_left_over;
pub use tool::Versions;

use std::sync::Once;

/// Makes ring the process's TLS provider. kube asks rustls for the default, and which one that is must not depend on what
/// features some other crate turned on.
fn install_tls_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // The only failure is that there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Whether a host is this machine. A proxy is never asked for those, as no tool of the cluster's world (Go's net/http) does.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
