//! Parameter schemas: flat ones, as packs write them, and JSON Schema.
//!
//! A flat schema maps a parameter's name to `{type, required?, default?, secret?,
//! position?, enum?, …}` (contract, packs section 4). It becomes JSON Schema here,
//! so that one validator serves both.

mod bounds;

use jsonschema::PatternOptions;
use serde_json::json;

pub use self::bounds::SchemaProblem;
use crate::{Json, JsonObject};

/// Keys of a flat parameter that JSON Schema gives another meaning or none.
const FLAT_ONLY: [&str; 3] = ["required", "secret", "position"];

/// Stands for the parameters as a whole, where a parameter is named.
const EVERYTHING: &str = "*";

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

/// Whether a schema, flat or not, can be used to check parameters.
pub fn check_schema(schema: &Json) -> Result<(), SchemaProblem> {
    bounds::check_schema(&to_json_schema(schema))
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
    let (schema, params) = (to_json_schema(schema), Json::Object(params.clone()));
    bounds::check_schema(&schema).map_err(|problem| of_schema(&problem))?;
    if !bounds::can_check(&schema, &params) {
        let problem = "there are too many values for a schema of this size".to_owned();
        return Err(Violation { parameter: EVERYTHING.to_owned(), problem });
    }
    // Without look-around and back references, a pattern takes linear time.
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    let validator = options.build(&schema).map_err(|error| of_schema(&error.masked()))?;
    match validator.iter_errors(&params).next() {
        None => Ok(()),
        Some(error) => Err(violation(&error)),
    }
}

fn of_schema(problem: &dyn std::fmt::Display) -> Violation {
    let problem = format!("the action's own parameter schema is not valid: {problem}");
    Violation { parameter: EVERYTHING.to_owned(), problem }
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
    // Masked: the text is stored and shown, and the value may be a secret.
    Violation { parameter, problem: error.masked().to_string() }
}

fn parameter_specs(schema: &Json) -> impl Iterator<Item = (&String, &Json)> {
    let object = schema.as_object();
    let specs = object.and_then(|object| {
        if is_json_schema(object) { object.get("properties")?.as_object() } else { Some(object) }
    });
    specs.into_iter().flatten()
}

pub(crate) fn is_json_schema(schema: &JsonObject) -> bool {
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
    fn a_violation_does_not_repeat_the_value() {
        let schema = json!({"token": {"type": "string", "secret": true, "minLength": 12}});
        let violation = check(&schema, &object(json!({"token": "hunter2"}))).unwrap_err();
        assert_eq!(violation.parameter, "token");
        assert!(!violation.problem.contains("hunter2"), "{violation}");
    }

    #[test]
    fn a_schema_that_describes_exponentially_many_checks_is_refused() {
        let mut defs = JsonObject::new();
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/a{}", level + 1)});
            defs.insert(format!("a{level}"), json!({"anyOf": [next, next]}));
        }
        defs.insert("a40".to_owned(), json!(false));
        let schema = json!({"type": "object", "$defs": defs,
            "properties": {"a": {"$ref": "#/$defs/a0"}}});
        assert_eq!(check_schema(&schema), Err(SchemaProblem::Keyword("$ref")));
        assert!(check(&schema, &object(json!({"a": 1}))).is_err());
    }

    #[test]
    fn a_pattern_takes_linear_time_or_is_refused() {
        let schema = json!({"a": {"type": "string", "pattern": "^(a+)+$"}});
        let text = format!("{}!", "a".repeat(50_000));
        assert_eq!(check(&schema, &object(json!({"a": text}))).unwrap_err().parameter, "a");
        let backtracking = json!({"a": {"type": "string", "pattern": "(a+)\\1"}});
        assert_eq!(check(&backtracking, &object(json!({"a": "aa"}))).unwrap_err().parameter, "*");
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
