//! What an installation allows its tenants' actions to reach.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::address::is_public;
use super::grant::HostPort;

/// The policy that stands over every manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressPolicy {
    /// What may be reached at all.
    pub hosts: Vec<HostPort>,
    /// Networks that are not public, and may be reached all the same.
    pub private: Vec<NetworkRange>,
    /// Whether a manifest's wish to skip certificate checks is granted.
    pub insecure_tls: bool,
}

impl EgressPolicy {
    /// Whether a connection to this address may be made.
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || self.private.iter().any(|range| range.contains(address))
    }
}

/// A network in CIDR notation; an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkRange {
    address: IpAddr,
    bits: u8,
}

/// Text that is no network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network such as 10.0.0.0/8, and no address")]
pub struct RangeError(String);

impl NetworkRange {
    /// An address of IPv4 that comes in a mapped form of IPv6 is that address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differs = u64::from(network.to_bits() ^ address.to_bits());
                differs >> (32 - self.bits) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differs = network.to_bits() ^ address.to_bits();
                differs.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for NetworkRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<NetworkRange, RangeError> {
        let error = || RangeError(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| error())?;
        if bits > width { Err(error()) } else { Ok(NetworkRange { address, bits }) }
    }
}

impl TryFrom<String> for NetworkRange {
    type Error = RangeError;

    fn try_from(text: String) -> Result<NetworkRange, RangeError> {
        text.parse()
    }
}

impl From<NetworkRange> for String {
    fn from(range: NetworkRange) -> String {
        range.to_string()
    }
}

impl fmt::Display for NetworkRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, address: &str, expected: bool) {
        let range: NetworkRange = range.parse().unwrap();
        assert_eq!(range.contains(address.parse().unwrap()), expected, "{range} {address}");
    }

    #[test]
    fn a_range_holds_its_addresses() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "fe80::1", true);
        check("fc00::/7", "fd12::1", true);
        check("127.0.0.0/8", "::ffff:127.0.0.1", true);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::1/129", "example.com", "10.0.0.0/-1"] {
            assert!(text.parse::<NetworkRange>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_policy_admits_the_public_and_what_it_names() {
        let private = vec!["127.0.0.2".parse().unwrap()];
        let policy = EgressPolicy { hosts: Vec::new(), private, insecure_tls: false };
        assert!(policy.admits("8.8.8.8".parse().unwrap()));
        assert!(policy.admits("127.0.0.2".parse().unwrap()));
        assert!(!policy.admits("127.0.0.1".parse().unwrap()));
    }
}
