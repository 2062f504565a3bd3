//! `permissions` of an action: what it asks for beyond its own folder.

use attune_domain::Json;
use attune_domain::egress::grant::{HttpGrant, Ports};
use attune_domain::egress::host::HostPattern;
use attune_domain::secret_parameters::is_secret_parameter;
use serde::Deserialize;

use super::ManifestError;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PermissionsYaml {
    #[serde(default)]
    http: Vec<HttpYaml>,
}

/// A host alone, or all there is to say.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum HttpYaml {
    Host(String),
    Entry(HttpEntry),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpEntry {
    host: String,
    ports: Option<PortsYaml>,
    methods: Option<Vec<String>>,
    #[serde(default)]
    insecure_tls: bool,
    #[serde(default)]
    secrets: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PortsYaml {
    /// `"*"`
    Word(String),
    List(Vec<PortYaml>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PortYaml {
    One(u16),
    /// `"8000-8010"`
    Range(String),
}

/// The grants that an action asks for; `parameters` is its schema.
pub(super) fn http_grants(
    path: &str,
    yaml: Option<PermissionsYaml>,
    parameters: Option<&Json>,
) -> Result<Vec<HttpGrant>, ManifestError> {
    let entries = yaml.unwrap_or_default().http.into_iter();
    entries
        .map(|entry| grant(entry, parameters))
        .collect::<Result<_, _>>()
        .map_err(|problem| ManifestError::new(path, problem).key("permissions.http"))
}

fn grant(entry: HttpYaml, parameters: Option<&Json>) -> Result<HttpGrant, String> {
    let entry = match entry {
        HttpYaml::Entry(entry) => entry,
        HttpYaml::Host(host) => {
            let (ports, methods, secrets) = (None, None, Vec::new());
            HttpEntry { host, ports, methods, insecure_tls: false, secrets }
        }
    };
    let host: HostPattern = entry.host.parse().map_err(|problem| format!("{problem}"))?;
    for name in &entry.secrets {
        if !parameters.is_some_and(|schema| is_secret_parameter(schema, name)) {
            return Err(format!("{name:?} in `secrets` is no parameter with `secret: true`"));
        }
    }
    let upper = |methods: Vec<String>| {
        methods.into_iter().map(|method| method.to_ascii_uppercase()).collect()
    };
    Ok(HttpGrant {
        host,
        ports: entry.ports.map_or_else(|| Ok(Ports::usual()), ports)?,
        methods: entry.methods.map(upper),
        insecure_tls: entry.insecure_tls,
        secrets: entry.secrets,
    })
}

fn ports(yaml: PortsYaml) -> Result<Ports, String> {
    let list = match yaml {
        PortsYaml::Word(word) if word == "*" => return Ok(Ports::All),
        PortsYaml::Word(word) => return Err(format!("{word:?}: ports are a list, or \"*\"")),
        PortsYaml::List(list) => list,
    };
    let range = |port: PortYaml| match port {
        PortYaml::One(port) => Ok((port, port)),
        PortYaml::Range(text) => {
            let ends = text.split_once('-').and_then(|(first, last)| {
                Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
            });
            ends.filter(|(first, last): &(u16, u16)| first <= last)
                .ok_or_else(|| format!("{text:?} is no port and no range such as \"8000-8010\""))
        }
    };
    list.into_iter().map(range).collect::<Result<_, _>>().map(Ports::Ranges)
}
