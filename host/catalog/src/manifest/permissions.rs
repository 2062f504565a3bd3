//! `permissions` of an action: what it asks for beyond its own folder.

use attune_domain::Json;
use attune_domain::egress::grant::{HttpGrant, Ports};
use attune_domain::egress::host::HostPattern;
use attune_domain::secret_parameters::is_secret_parameter;
use serde::Deserialize;

use super::ManifestError;

/// Read entry by entry, so that an error can say which and why.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PermissionsYaml {
    http: Option<Json>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpEntry {
    host: String,
    ports: Option<Json>,
    methods: Option<Vec<String>>,
    #[serde(default)]
    insecure_tls: bool,
    #[serde(default)]
    secrets: Vec<String>,
}

/// The grants that an action asks for; `parameters` is its schema.
pub(super) fn http_grants(
    path: &str,
    yaml: Option<PermissionsYaml>,
    parameters: Option<&Json>,
) -> Result<Vec<HttpGrant>, ManifestError> {
    let entries = match yaml.unwrap_or_default().http {
        None => return Ok(Vec::new()),
        Some(Json::Array(entries)) => entries,
        Some(_) => {
            let problem = "it is a list of hosts, or of tables with a `host`";
            return Err(ManifestError::new(path, problem).key("permissions.http"));
        }
    };
    entries
        .into_iter()
        .enumerate()
        .map(|(number, entry)| {
            let key = format!("permissions.http[{number}]");
            grant(entry, parameters).map_err(|problem| ManifestError::new(path, problem).key(key))
        })
        .collect()
}

fn grant(entry: Json, parameters: Option<&Json>) -> Result<HttpGrant, String> {
    let entry = match entry {
        Json::String(host) => {
            let (ports, methods, secrets) = (None, None, Vec::new());
            HttpEntry { host, ports, methods, insecure_tls: false, secrets }
        }
        Json::Object(_) => HttpEntry::deserialize(entry).map_err(|problem| problem.to_string())?,
        _ => return Err("an entry is a host, or a table with a `host`".to_owned()),
    };
    let host: HostPattern = entry.host.parse().map_err(|problem| format!("host: {problem}"))?;
    for name in &entry.secrets {
        if !parameters.is_some_and(|schema| is_secret_parameter(schema, name)) {
            return Err(format!("secrets: {name:?} is no parameter with `secret: true`"));
        }
    }
    Ok(HttpGrant {
        host,
        ports: entry.ports.as_ref().map_or_else(|| Ok(Ports::usual()), ports)?,
        methods: entry.methods.map(methods).transpose()?,
        insecure_tls: entry.insecure_tls,
        secrets: entry.secrets,
    })
}

fn methods(names: Vec<String>) -> Result<Vec<String>, String> {
    let method = |name: String| {
        let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        if is_word {
            Ok(name.to_ascii_uppercase())
        } else {
            Err(format!("methods: {name:?} is none"))
        }
    };
    names.into_iter().map(method).collect()
}

fn ports(yaml: &Json) -> Result<Ports, String> {
    match yaml {
        Json::String(word) if word == "*" => Ok(Ports::All),
        Json::Array(list) => {
            let range = |port| {
                range_of(port).ok_or_else(|| {
                    format!("ports: {port} is no port and no range such as \"8000-8010\"")
                })
            };
            list.iter().map(range).collect::<Result<_, _>>().map(Ports::Ranges)
        }
        other => Err(format!("ports: {other} is no list of ports, and not \"*\"")),
    }
}

/// First and last.
fn range_of(port: &Json) -> Option<(u16, u16)> {
    let (first, last) = match port {
        Json::String(text) => {
            let (first, last) = text.split_once('-')?;
            (first.trim().parse().ok()?, last.trim().parse().ok()?)
        }
        number => {
            let port = u16::try_from(number.as_u64()?).ok()?;
            (port, port)
        }
    };
    (0 < first && first <= last).then_some((first, last))
}
