//! From names to addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use attune_domain::egress::EgressError;
use attune_domain::egress::host::Host;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::Name;

/// For one question to one name server; two are asked, or one twice.
const PATIENCE: Duration = Duration::from_secs(3);
/// Names whose answers are kept, for as long as the answers say.
const CACHED: u64 = 1024;
/// Addresses of one name that are looked at.
const MAX_ADDRESSES: usize = 16;

/// The installation's name servers.
#[derive(Clone)]
pub(crate) struct Names(TokioResolver);

impl Names {
    /// Asks these servers; without any, those of the system, and its file of hosts.
    pub(crate) fn new(servers: &[SocketAddr]) -> Result<Names, NetError> {
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options: &mut ResolverOpts = builder.options_mut();
        options.timeout = PATIENCE;
        options.attempts = 2;
        options.cache_size = CACHED;
        if !servers.is_empty() {
            options.use_hosts_file = ResolveHosts::Never;
        }
        builder.build().map(Names)
    }

    /// All addresses of a host, in the order of the answer.
    pub(crate) async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, EgressError> {
        let name = match host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        // As it stands: what reads it as UTF-8 refuses the underscores that people use.
        let name = Name::from_ascii(name).map_err(|_| EgressError::UnknownName)?;
        let answer = self.0.lookup_ip(name).await.map_err(|error| failure(&error))?;
        Ok(answer.iter().take(MAX_ADDRESSES).collect())
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    let connections = connections.into_iter().map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.collect())
}

fn failure(error: &NetError) -> EgressError {
    match error {
        NetError::Timeout => EgressError::NamesTimeout,
        NetError::Dns(DnsError::NoRecordsFound(_)) | NetError::Proto(_) => EgressError::UnknownName,
        other => {
            tracing::debug!(error = %other, "a name cannot be resolved");
            EgressError::NamesTimeout
        }
    }
}
