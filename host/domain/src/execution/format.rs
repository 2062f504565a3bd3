//! Output formats: how a script's stdout becomes `result.data` (contract, executions section 3).

use crate::Json;
use crate::action::OutputFormat;
use crate::json_size::has_too_many_values;

/// Data that is nested deeper stays text: the result, with this in it, must be readable by
/// every JSON parser, our own among them, which stops at 128 levels.
const MAX_DEPTH: usize = 100;

/// What was read from stdout.
pub(super) struct Parsed {
    pub(super) data: Json,
    /// Whether all of stdout is in `data`, so that the text need not be kept beside it.
    pub(super) whole: bool,
}

/// Reads `stdout` (trimmed) in the action's format; none if it does not parse.
pub(super) fn parse(format: OutputFormat, stdout: &str) -> Option<Parsed> {
    if stdout.is_empty() {
        return None;
    }
    let parsed = match format {
        OutputFormat::Text => None,
        OutputFormat::Json => parse_json(stdout),
        OutputFormat::Yaml => parse_yaml(stdout).map(whole),
        OutputFormat::Jsonl if has_too_many_values(stdout.lines()) => None,
        OutputFormat::Jsonl => {
            let lines = stdout.lines().filter(|line| !line.trim().is_empty());
            let values: Result<Vec<Json>, _> = lines.map(serde_json::from_str).collect();
            values.ok().map(|values| whole(Json::Array(values)))
        }
    };
    parsed.filter(|parsed| depth(&parsed.data) <= MAX_DEPTH)
}

fn depth(value: &Json) -> usize {
    match value {
        Json::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        Json::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// All of stdout, else its last line: scripts often log before they answer.
fn parse_json(stdout: &str) -> Option<Parsed> {
    if let Some(data) = bounded_json(stdout) {
        return Some(whole(data));
    }
    let data = bounded_json(stdout.lines().last()?)?;
    Some(Parsed { data, whole: false })
}

/// The value of a text, unless it has so many parts that it stays text.
fn bounded_json(text: &str) -> Option<Json> {
    if has_too_many_values([text]) { None } else { serde_json::from_str(text).ok() }
}

fn parse_yaml(stdout: &str) -> Option<Json> {
    // YAML 1.2: a country `no` is text.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(stdout, options).ok()
}

fn whole(data: Json) -> Parsed {
    Parsed { data, whole: true }
}
