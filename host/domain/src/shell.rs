//! The script of an ad-hoc shell action (contract, packs section 6.1).
//!
//! Its body is preceded by one line that sets `-e` and gives each parameter and each secret to
//! bash as a variable which children of the script do not inherit.

use std::collections::BTreeMap;

use crate::{Json, JsonObject};

/// Names that mean something to bash itself: read-only ones would end the script under `-e`,
/// those of integers have bash *evaluate* what they are given, with the commands in it, and the
/// others change what the script's words mean. `BASH…` and `PS…` belong to them.
const OF_BASH: [&str; 35] = [
    "_",
    "CDPATH",
    "COLUMNS",
    "COPROC",
    "DIRSTACK",
    "ENV",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "EXECIGNORE",
    "FUNCNAME",
    "FUNCNEST",
    "GLOBIGNORE",
    "GROUPS",
    "HISTCMD",
    "IFS",
    "LINENO",
    "LINES",
    "MAILCHECK",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "PATH",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PROMPT_COMMAND",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
];
const FAMILIES_OF_BASH: [&str; 5] = ["BASH", "COMP_", "HIST", "PS", "READLINE_"];
/// Before the name in upper case, the second name of a variable.
const PREFIX: &str = "PARAM_";

/// A value that no shell variable can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' holds a NUL character, which no shell variable can have")]
pub struct HoldsNul {
    pub name: String,
}

/// The script that bash runs. A secret of the same name as a parameter wins. One that no variable
/// can hold is left out, for it is there for other actions.
pub fn script(body: &str, params: &JsonObject, secrets: &JsonObject) -> Result<String, HoldsNul> {
    if let Some((name, _)) = params.iter().find(|(_, value)| holds_nul(value)) {
        return Err(HoldsNul { name: name.clone() });
    }
    let secrets = secrets.iter().filter(|(_, value)| !holds_nul(value));
    let mut variables = BTreeMap::new();
    for (name, value) in params.iter().chain(secrets) {
        let Some(text) = text(value) else { continue };
        variables.insert(format!("{PREFIX}{}", identifier(name).to_uppercase()), text.clone());
        variables.insert(identifier(name), text);
    }
    let mut script = "set -e;".to_owned();
    for (name, value) in variables.iter().filter(|(name, _)| !is_of_bash(name)) {
        // The environment may have exported a variable of this name.
        script.extend([" declare +x ", name, "=", &quoted(value), ";"]);
    }
    script.push('\n');
    script.push_str(body);
    script.push('\n');
    Ok(script)
}

/// Inside of JSON it is escaped.
fn holds_nul(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text.contains('\0'))
}

fn is_of_bash(name: &str) -> bool {
    OF_BASH.contains(&name) || FAMILIES_OF_BASH.iter().any(|family| name.starts_with(family))
}

/// What a variable holds; null is no variable at all.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Any other character, and a leading digit, becomes `_`.
fn identifier(name: &str) -> String {
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let mut identifier: String = name.chars().map(|c| if is_part(c) { c } else { '_' }).collect();
    if identifier.starts_with(|c: char| c.is_ascii_digit()) || identifier.is_empty() {
        identifier.replace_range(..identifier.len().min(1), "_");
    }
    identifier
}

/// As bash reads it back, on one line: so the body's lines keep their numbers but for one.
fn quoted(value: &str) -> String {
    let mut quoted = "$'".to_owned();
    for c in value.chars() {
        match c {
            '\\' => quoted.push_str(r"\\"),
            '\'' => quoted.push_str(r"\'"),
            '\n' => quoted.push_str(r"\n"),
            '\r' => quoted.push_str(r"\r"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(params: &Json, secrets: &Json) -> String {
        script("echo $x", params.as_object().unwrap(), secrets.as_object().unwrap()).unwrap()
    }

    #[test]
    fn each_parameter_has_two_names_and_is_not_exported() {
        assert_eq!(
            of(&json!({"x": "it's"}), &json!({})),
            "set -e; declare +x PARAM_X=$'it\\'s'; declare +x x=$'it\\'s';\necho $x\n"
        );
    }

    #[test]
    fn values_are_text_and_null_is_none() {
        let script = of(&json!({"a": true, "b": {"c": [1]}, "n": null, "f": 1.5}), &json!({}));
        for part in [" a=$'true';", " b=$'{\"c\":[1]}';", " f=$'1.5';"] {
            assert!(script.contains(part), "{script}");
        }
        assert!(!script.contains("PARAM_N"));
    }

    #[test]
    fn names_become_identifiers() {
        let script = of(&json!({"2-fast": 1, "": 2, "größe": 3}), &json!({}));
        for part in [" __fast=", " PARAM___FAST=", " PARAM__=", " gr__e="] {
            assert!(script.contains(part), "{script}");
        }
    }

    #[test]
    fn a_secret_wins() {
        let script = of(&json!({"x": "parameter"}), &json!({"x": "secret"}));
        assert!(script.contains(" x=$'secret';") && script.contains(" PARAM_X=$'secret';"));
        assert!(!script.contains("parameter"));
    }

    #[test]
    fn whatever_is_in_a_value_stays_on_the_line_and_in_its_quotes() {
        let script = of(&json!({"x": "a\nb\\n'; rm -rf /; '\r$(id)`id`"}), &json!({}));
        assert_eq!(script.lines().count(), 2);
        assert!(script.contains(r"x=$'a\nb\\n\'; rm -rf /; \'\r$(id)`id`';"), "{script}");
    }

    #[test]
    fn what_means_something_to_bash_has_its_second_name_only() {
        for name in ["UID", "SECONDS", "BASH_ENV", "PS4", "PATH"] {
            let script = of(&json!({name: "a[$(id)]"}), &json!({}));
            assert!(script.contains(&format!(" PARAM_{name}=")), "{script}");
            assert!(!script.contains(&format!(" {name}=")), "{script}");
        }
    }

    #[test]
    fn nul_is_refused_by_name() {
        let params = json!({"x": "a\0b"});
        let error = script("", params.as_object().unwrap(), &JsonObject::new()).unwrap_err();
        assert!(error.to_string().starts_with("'x'"));
        assert!(!of(&json!({}), &json!({"x": "a\0b"})).contains("x="));
    }
}
