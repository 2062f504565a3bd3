//! Names of hosts, and patterns for them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name there is (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;

/// A host as a request names it: in lower case, without a root's dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

/// Text that is neither a name nor an address, nor a pattern for one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("{0:?} is no name of a host and no address")]
    NotAHost(String),
    #[error("{0:?} has a `*` where none can be: write \"*\" or \"*.example.com\"")]
    MisplacedStar(String),
}

impl Host {
    /// An address may stand in brackets; a name in the letters of any language becomes ASCII, as
    /// clients send it.
    pub fn parse(text: &str) -> Result<Host, HostError> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Host::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let name = if name.is_ascii() {
            name.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(name).unwrap_or_default()
        };
        if is_name(&name) {
            Ok(Host::Name(name))
        } else {
            Err(HostError::NotAHost(text.to_owned()))
        }
    }
}

/// Letters, digits, hyphens, and the underscores that people use all the same.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
        }
    }
}

/// Which hosts are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// `*`
    Any,
    /// `*.example.com`: what is below that name, at any depth, and not the name itself.
    Below(String),
    One(Host),
}

impl HostPattern {
    pub fn matches(&self, host: &Host) -> bool {
        match self {
            HostPattern::Any => true,
            HostPattern::One(one) => one == host,
            HostPattern::Below(parent) => match host {
                Host::Name(name) => {
                    name.strip_suffix(parent).is_some_and(|below| below.ends_with('.'))
                }
                Host::Address(_) => false,
            },
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<HostPattern, HostError> {
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return match Host::parse(parent)? {
                Host::Name(name) => Ok(HostPattern::Below(name)),
                Host::Address(_) => Err(HostError::MisplacedStar(text.to_owned())),
            };
        }
        if text.contains('*') {
            return Err(HostError::MisplacedStar(text.to_owned()));
        }
        Host::parse(text).map(HostPattern::One)
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostError;

    fn try_from(text: String) -> Result<HostPattern, HostError> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> String {
        pattern.to_string()
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Any => f.write_str("*"),
            HostPattern::Below(parent) => write!(f, "*.{parent}"),
            HostPattern::One(host) => write!(f, "{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, host: &str, expected: bool) {
        let pattern: HostPattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(&Host::parse(host).unwrap()), expected, "{pattern} {host}");
    }

    #[test]
    fn a_name_means_itself() {
        check("api.example.com", "api.example.com", true);
        check("API.Example.com.", "api.EXAMPLE.com", true);
        check("api.example.com", "api.example.com.", true);
        check("bücher.example", "xn--bcher-kva.EXAMPLE", true);
        check("example.com", "api.example.com", false);
        check("example.com", "example.com.evil.test", false);
    }

    #[test]
    fn a_star_means_what_is_below() {
        check("*.example.com", "a.example.com", true);
        check("*.example.com", "a.b.example.com", true);
        check("*.example.com", "example.com", false);
        check("*.example.com", "evilexample.com", false);
        check("*", "anything.test", true);
        check("*", "10.0.0.1", true);
    }

    #[test]
    fn an_address_means_itself_in_any_spelling() {
        check("::1", "[0:0::1]", true);
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "::ffff:127.0.0.1", false);
        check("*.0.0.1.test", "127.0.0.1", false);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", ".", "a..b", "a b", "a/b", "user@host", "host:80", "a\r\nb", "*a"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text:?}");
        }
        for text in ["*.*.test", "a.*.test", "*.127.0.0.1"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text:?}");
        }
    }
}
