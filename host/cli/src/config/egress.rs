//! The table `[egress]` of the settings: what actions may reach of the network.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use attune_domain::egress::grant::HostPort;
use attune_domain::egress::policy::{EgressPolicy, NetworkRange};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::Switch;

/// What stands over the manifests of all actions.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "The network of actions")]
pub(crate) struct EgressSettings {
    /// Hosts that an action's manifest may ask for: `*`, `*.example.com`, `example.com:8443`
    #[arg(
        id = "egress.hosts",
        long = "egress-hosts",
        env = "ATTUNE_EGRESS_HOSTS",
        value_delimiter = ',',
        default_value = "*",
        value_name = "HOST,…"
    )]
    pub hosts: Vec<HostPort>,

    /// Networks that are not public and may be reached all the same, such as `10.0.0.0/8`; without
    /// this no private, loopback, link-local or other special address can be reached
    #[arg(
        id = "egress.private",
        long = "egress-private",
        env = "ATTUNE_EGRESS_PRIVATE",
        value_delimiter = ',',
        value_name = "CIDR,…"
    )]
    #[serde(default)]
    pub private: Vec<NetworkRange>,

    /// Whether an action that asks for it may skip certificate checks
    #[arg(
        id = "egress.insecure_tls",
        long = "egress-insecure-tls",
        env = "ATTUNE_EGRESS_INSECURE_TLS",
        default_value = "off",
        value_name = "SWITCH"
    )]
    pub insecure_tls: Switch,

    /// PEM file with certificates that are trusted beside the system's
    #[arg(
        id = "egress.roots",
        long = "egress-roots",
        env = "ATTUNE_EGRESS_ROOTS",
        value_name = "FILE"
    )]
    pub roots: Option<PathBuf>,

    /// Name servers, `IP:PORT`, in place of the system's
    #[arg(
        id = "egress.resolver",
        long = "egress-resolver",
        env = "ATTUNE_EGRESS_RESOLVER",
        value_delimiter = ',',
        value_name = "ADDR,…"
    )]
    #[serde(default)]
    pub resolver: Vec<SocketAddr>,

    /// Milliseconds that a connection may take, from the name to the end of TLS's handshake
    #[arg(
        id = "egress.connect_ms",
        long = "egress-connect-ms",
        env = "ATTUNE_EGRESS_CONNECT_MS",
        default_value_t = 10_000,
        value_name = "MS"
    )]
    pub connect_ms: u64,

    /// Milliseconds in which nothing moves in an exchange, until it is over
    #[arg(
        id = "egress.idle_ms",
        long = "egress-idle-ms",
        env = "ATTUNE_EGRESS_IDLE_MS",
        default_value_t = 300_000,
        value_name = "MS"
    )]
    pub idle_ms: u64,

    /// Connections that the actions of one tenant may have open
    #[arg(
        id = "egress.connections",
        long = "egress-connections",
        env = "ATTUNE_EGRESS_CONNECTIONS",
        default_value_t = 1024,
        value_name = "N"
    )]
    pub connections: usize,
}

impl From<&EgressSettings> for attune_egress::Settings {
    fn from(settings: &EgressSettings) -> attune_egress::Settings {
        attune_egress::Settings {
            policy: EgressPolicy {
                hosts: settings.hosts.clone(),
                private: settings.private.clone(),
                insecure_tls: settings.insecure_tls == Switch::On,
            },
            roots: settings.roots.clone(),
            resolver: settings.resolver.clone(),
            connect: Duration::from_millis(settings.connect_ms),
            idle: Duration::from_millis(settings.idle_ms),
            connections: settings.connections,
        }
    }
}
