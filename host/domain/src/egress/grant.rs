//! What an action's manifest asks for of the network, and whether a request is within it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::{Host, HostPattern};
use super::policy::EgressPolicy;

/// An entry of `permissions.http`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpGrant {
    pub host: HostPattern,
    pub ports: Ports,
    /// In upper case; none means all.
    pub methods: Option<Vec<String>>,
    /// Certificate checks may be skipped, if the policy agrees.
    #[serde(default)]
    pub insecure_tls: bool,
    /// Secrets that the broker may fill in for this host.
    #[serde(default)]
    pub secrets: Vec<String>,
}

/// Which ports are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ports {
    All,
    /// First and last of each range.
    Ranges(Vec<(u16, u16)>),
}

impl Ports {
    /// Those of `http` and `https`.
    pub fn usual() -> Ports {
        Ports::Ranges(vec![(80, 80), (443, 443)])
    }

    fn contain(&self, port: u16) -> bool {
        match self {
            Ports::All => true,
            Ports::Ranges(ranges) => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&port))
            }
        }
    }
}

/// Hosts of a policy, with a port if one is given: `*`, `*.example.com`, `example.com:8443`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    pub host: HostPattern,
    pub port: Option<u16>,
}

impl FromStr for HostPort {
    type Err = super::host::HostError;

    fn from_str(text: &str) -> Result<HostPort, Self::Err> {
        if let Ok(host) = text.parse() {
            return Ok(HostPort { host, port: None });
        }
        match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) => Ok(HostPort { host: host.parse()?, port: Some(port) }),
            _ => Err(super::host::HostError::NotAHost(text.to_owned())),
        }
    }
}

impl TryFrom<String> for HostPort {
    type Error = super::host::HostError;

    fn try_from(text: String) -> Result<HostPort, Self::Error> {
        text.parse()
    }
}

impl From<HostPort> for String {
    fn from(value: HostPort) -> String {
        value.to_string()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

/// The method of a wish for a connection that nobody can look into.
pub const TUNNEL: &str = "TUNNEL";

/// What a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub host: Host,
    pub port: u16,
    /// In upper case; `CONNECT` for a connection alone, [`TUNNEL`] for one to do anything with.
    pub method: String,
    pub insecure_tls: bool,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// What was found for a wish that is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Names of the secrets that may be filled in.
    pub secrets: Vec<String>,
}

/// Whether a request is within the grants and the policy; the text says what to change.
pub fn decide(grants: &[HttpGrant], policy: &EgressPolicy, wish: &Wish) -> Result<Granted, String> {
    if grants.is_empty() {
        return Err(format!(
            "this action has no network access; to reach {wish}, its manifest needs \
             `permissions: {{http: [{}]}}`",
            wish.host
        ));
    }
    let named: Vec<_> = grants.iter().filter(|grant| grant.host.matches(&wish.host)).collect();
    if named.is_empty() {
        return Err(format!("no entry of `permissions.http` in the manifest names {}", wish.host));
    }
    let ported: Vec<_> = named.into_iter().filter(|grant| grant.ports.contain(wish.port)).collect();
    if ported.is_empty() {
        return Err(format!(
            "`permissions.http` in the manifest has no port {} for {}",
            wish.port, wish.host
        ));
    }
    let fitting: Vec<_> = ported.into_iter().filter(|grant| grant.has_method(wish)).collect();
    if fitting.is_empty() && wish.method == TUNNEL {
        return Err(format!(
            "a native run's connection to {wish} may carry any method: its entry in \
             `permissions.http` must have no `methods`"
        ));
    }
    if fitting.is_empty() {
        return Err(format!(
            "`permissions.http` in the manifest has no method {} for {wish}",
            wish.method
        ));
    }
    let in_policy = |entry: &HostPort| {
        entry.host.matches(&wish.host) && entry.port.is_none_or(|port| port == wish.port)
    };
    if !policy.hosts.iter().any(in_policy) {
        return Err(format!("the policy of this server (--egress-hosts) does not have {wish}"));
    }
    if wish.insecure_tls && !fitting.iter().any(|grant| grant.insecure_tls) {
        return Err(format!(
            "to skip certificate checks for {wish}, the entry in `permissions.http` needs \
             `insecure_tls: true`"
        ));
    }
    if wish.insecure_tls && !policy.insecure_tls {
        return Err("the policy of this server lets nobody skip certificate checks \
                    (--egress-insecure-tls)"
            .to_owned());
    }
    Ok(Granted { secrets: fitting.into_iter().flat_map(|grant| grant.secrets.clone()).collect() })
}

impl HttpGrant {
    /// Whoever may send anything may connect.
    fn has_method(&self, wish: &Wish) -> bool {
        wish.method == "CONNECT"
            || self.methods.as_ref().is_none_or(|methods| methods.contains(&wish.method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(host: &str) -> HttpGrant {
        HttpGrant {
            host: host.parse().unwrap(),
            ports: Ports::usual(),
            methods: None,
            insecure_tls: false,
            secrets: Vec::new(),
        }
    }

    fn policy(hosts: &[&str]) -> EgressPolicy {
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        EgressPolicy { hosts, private: Vec::new(), insecure_tls: false }
    }

    fn wish(method: &str, host: &str, port: u16) -> Wish {
        let host = Host::parse(host).unwrap();
        Wish { host, port, method: method.to_owned(), insecure_tls: false }
    }

    #[track_caller]
    fn refused(grants: &[HttpGrant], policy: &EgressPolicy, wish: &Wish, because: &str) {
        let text = decide(grants, policy, wish).unwrap_err();
        assert!(text.contains(because), "{text}");
    }

    #[test]
    fn each_refusal_names_what_to_change() {
        let (all, wanted) = (policy(&["*"]), wish("GET", "a.test", 443));
        refused(&[], &all, &wanted, "permissions: {http: [a.test]}");
        refused(&[grant("b.test")], &all, &wanted, "names a.test");
        refused(&[grant("a.test")], &all, &wish("GET", "a.test", 8443), "port 8443");
        let reading = HttpGrant { methods: Some(vec!["GET".to_owned()]), ..grant("a.test") };
        let posting = wish("POST", "a.test", 443);
        refused(std::slice::from_ref(&reading), &all, &posting, "method POST");
        refused(&[grant("*")], &policy(&["b.test"]), &wanted, "--egress-hosts");
        refused(&[grant("*")], &policy(&["a.test:80"]), &wanted, "--egress-hosts");
        refused(std::slice::from_ref(&reading), &all, &wish(TUNNEL, "a.test", 443), "no `methods`");
        assert!(decide(&[grant("a.test")], &all, &wish(TUNNEL, "a.test", 443)).is_ok());
        assert!(decide(&[reading], &all, &wish("CONNECT", "a.test", 443)).is_ok());
    }

    #[test]
    fn skipping_certificate_checks_takes_both() {
        let wanted = Wish { insecure_tls: true, ..wish("GET", "a.test", 443) };
        let asking = [HttpGrant { insecure_tls: true, ..grant("a.test") }];
        let willing = EgressPolicy { insecure_tls: true, ..policy(&["*"]) };
        refused(&[grant("a.test")], &willing, &wanted, "insecure_tls: true");
        refused(&asking, &policy(&["*"]), &wanted, "--egress-insecure-tls");
        assert!(decide(&asking, &willing, &wanted).is_ok());
    }

    #[test]
    fn one_entry_has_to_fit_in_all() {
        let reading = HttpGrant { methods: Some(vec!["GET".to_owned()]), ..grant("a.test") };
        let other = HttpGrant { secrets: vec!["token".to_owned()], ..grant("b.test") };
        let grants = [reading, other];
        refused(&grants, &policy(&["*"]), &wish("POST", "a.test", 80), "method POST");
        let granted = decide(&grants, &policy(&["*"]), &wish("POST", "b.test", 80)).unwrap();
        assert_eq!(granted.secrets, ["token"]);
    }

    #[test]
    fn a_host_of_a_policy_may_have_a_port() {
        let parse =
            |text: &str| text.parse::<HostPort>().map(|entry| (entry.to_string(), entry.port));
        assert_eq!(parse("*.a.test:8443"), Ok(("*.a.test:8443".to_owned(), Some(8443))));
        assert_eq!(parse("::1"), Ok(("[::1]".to_owned(), None)));
        assert_eq!(parse("[::1]:80"), Ok(("[::1]:80".to_owned(), Some(80))));
        assert!(parse("a.test:port").is_err());
    }
}
