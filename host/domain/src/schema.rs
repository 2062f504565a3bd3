//! Parameter schemas: flat ones, as packs write them, and JSON Schema.
//!
//! A flat schema maps a parameter's name to `{type, required?, default?, secret?,
//! position?, enum?, …}` (contract, packs section 4). It becomes JSON Schema here,
//! so that one validator serves both.

use serde_json::json;

use crate::{Json, JsonObject};

/// Keys of a flat parameter that JSON Schema gives another meaning or none.
const FLAT_ONLY: [&str; 3] = ["required", "secret", "position"];

/// A parameter that does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter '{parameter}': {problem}")]
pub struct Violation {
    /// The parameter's name, dotted when the problem is inside of it.
    pub parameter: String,
    pub problem: String,
}

/// The JSON Schema that stands for `schema`, flat or not.
pub fn to_json_schema(schema: &Json) -> Json {
    let Some(flat) = schema.as_object() else { return json!({}) };
    if is_json_schema(flat) {
        return schema.clone();
    }
    let required: Vec<&String> = flat
        .iter()
        .filter(|(_, spec)| spec.get("required").and_then(Json::as_bool) == Some(true))
        .map(|(name, _)| name)
        .collect();
    json!({"type": "object", "properties": properties(flat), "required": required})
}

/// `params` with the declared defaults of what is missing.
pub fn fill_defaults(schema: &Json, params: &JsonObject) -> JsonObject {
    let mut filled = params.clone();
    for (name, spec) in parameter_specs(schema) {
        if let Some(default) = spec.get("default") {
            filled.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
    filled
}

/// Checks parameters against a flat schema or a JSON Schema. Extra parameters pass.
pub fn check(schema: &Json, params: &JsonObject) -> Result<(), Violation> {
    if parameter_specs(schema).next().is_none() {
        return Ok(());
    }
    let validator =
        jsonschema::validator_for(&to_json_schema(schema)).map_err(|error| Violation {
            parameter: "*".to_owned(),
            problem: format!("the action's own parameter schema is not valid: {error}"),
        })?;
    match validator.iter_errors(&Json::Object(params.clone())).next() {
        None => Ok(()),
        Some(error) => Err(violation(&error)),
    }
}

fn violation(error: &jsonschema::ValidationError<'_>) -> Violation {
    let path = error.instance_path().to_string();
    let inside = path.trim_start_matches('/').replace('/', ".");
    let parameter = match error.kind() {
        jsonschema::error::ValidationErrorKind::Required { property } => {
            let missing = property.as_str().unwrap_or_default();
            if inside.is_empty() { missing.to_owned() } else { format!("{inside}.{missing}") }
        }
        _ => inside,
    };
    Violation { parameter, problem: error.to_string() }
}

fn parameter_specs(schema: &Json) -> impl Iterator<Item = (&String, &Json)> {
    let object = schema.as_object();
    let specs = object.and_then(|object| {
        if is_json_schema(object) { object.get("properties")?.as_object() } else { Some(object) }
    });
    specs.into_iter().flatten()
}

fn is_json_schema(schema: &JsonObject) -> bool {
    schema.get("type").and_then(Json::as_str) == Some("object")
        && schema.get("properties").is_some_and(Json::is_object)
}

fn properties(flat: &JsonObject) -> JsonObject {
    let strip = |spec: &Json| match spec {
        Json::Object(spec) => {
            let kept = spec.iter().filter(|(key, _)| !FLAT_ONLY.contains(&key.as_str()));
            Json::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        _ => json!({}),
    };
    flat.iter().map(|(name, spec)| (name.clone(), strip(spec))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Json) -> JsonObject {
        serde_json::from_value(value).unwrap()
    }

    fn schema() -> Json {
        json!({
            "name": {"type": "string", "required": true, "secret": true, "position": 0},
            "count": {"type": "integer", "default": 3, "minimum": 1},
            "colour": {"type": "string", "enum": ["red", "green"]},
        })
    }

    #[track_caller]
    fn refused(params: Json, parameter: &str) {
        let violation = check(&schema(), &object(params)).unwrap_err();
        assert_eq!(violation.parameter, parameter, "{violation}");
    }

    #[test]
    fn a_violation_names_the_parameter() {
        refused(json!({}), "name");
        refused(json!({"name": 7}), "name");
        refused(json!({"name": "a", "count": 0}), "count");
        refused(json!({"name": "a", "colour": "blue"}), "colour");
    }

    #[test]
    fn extra_parameters_pass() {
        assert_eq!(check(&schema(), &object(json!({"name": "a", "other": [1]}))), Ok(()));
    }

    #[test]
    fn a_default_fills_only_what_is_missing() {
        let filled = fill_defaults(&schema(), &object(json!({"name": "a"})));
        assert_eq!(Json::Object(filled), json!({"name": "a", "count": 3}));
        let kept = fill_defaults(&schema(), &object(json!({"count": 9})));
        assert_eq!(kept["count"], 9);
    }

    #[test]
    fn json_schema_is_taken_as_it_is() {
        let nested = json!({"type": "object", "properties": {"a": {"type": "object",
            "properties": {"b": {"type": "integer"}}, "required": ["b"]}}});
        let violation = check(&nested, &object(json!({"a": {}}))).unwrap_err();
        assert_eq!(violation.parameter, "a.b");
    }

    #[test]
    fn a_parameter_named_type_does_not_make_a_json_schema() {
        let flat = json!({"type": {"type": "string", "required": true}});
        assert_eq!(check(&flat, &JsonObject::new()).unwrap_err().parameter, "type");
    }
}
