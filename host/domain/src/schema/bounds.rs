//! What a parameter schema may ask for, so that checking parameters takes bounded time.
//!
//! Schemas are written by strangers and run in the server. References can describe
//! exponentially many checks in a few lines, and the `unevaluated` keywords repeat those
//! of the levels below them; without both, a check visits each place of the parameters at
//! most a few times for each place of the schema.

use crate::Json;

/// Places (objects, lists, values) that a schema may have.
const MAX_SCHEMA_PLACES: usize = 5_000;
/// Places of a schema times places of the parameters that are checked with it.
const MAX_CHECKS: usize = 10_000_000;

const REFUSED: [&str; 5] =
    ["$ref", "$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems"];
/// Their keys are names, and no keywords.
const MAPS_OF_SCHEMAS: [&str; 5] =
    ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];
/// Their values are data, and no schemas.
const DATA: [&str; 4] = ["enum", "const", "default", "examples"];

/// Why a schema is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaProblem {
    #[error("'{0}' is not supported in parameter schemas; write out what it stands for")]
    Keyword(&'static str),
    #[error("the schema has {0} values; at most {MAX_SCHEMA_PLACES} are allowed")]
    TooLarge(usize),
}

/// Whether a JSON Schema keeps within the bounds.
pub(super) fn check_schema(schema: &Json) -> Result<(), SchemaProblem> {
    let places = places(schema);
    if places > MAX_SCHEMA_PLACES {
        return Err(SchemaProblem::TooLarge(places));
    }
    refused_keyword(schema).map_or(Ok(()), |keyword| Err(SchemaProblem::Keyword(keyword)))
}

/// Whether so many parameters can be checked with the schema.
pub(super) fn can_check(schema: &Json, params: &Json) -> bool {
    places(schema).saturating_mul(places(params)) <= MAX_CHECKS
}

fn places(value: &Json) -> usize {
    1 + match value {
        Json::Object(object) => object.values().map(places).sum(),
        Json::Array(list) => list.iter().map(places).sum(),
        _ => 0,
    }
}

fn refused_keyword(schema: &Json) -> Option<&'static str> {
    match schema {
        Json::Object(keywords) => keywords.iter().find_map(|(keyword, value)| {
            let refused = REFUSED.iter().find(|refused| *refused == keyword);
            refused.copied().or_else(|| below(keyword, value))
        }),
        Json::Array(schemas) => schemas.iter().find_map(refused_keyword),
        _ => None,
    }
}

fn below(keyword: &str, value: &Json) -> Option<&'static str> {
    match value {
        _ if DATA.contains(&keyword) => None,
        Json::Object(schemas) if MAPS_OF_SCHEMAS.contains(&keyword) => {
            schemas.values().find_map(refused_keyword)
        }
        _ => refused_keyword(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_refused_wherever_they_stand() {
        for schema in [
            json!({"$ref": "#/$defs/a"}),
            json!({"properties": {"a": {"items": {"$ref": "#"}}}}),
            json!({"$defs": {"a": {"anyOf": [{"$dynamicRef": "#a"}]}}}),
            json!({"properties": {"a": {"unevaluatedProperties": false}}}),
        ] {
            let refused = check_schema(&schema);
            assert!(matches!(refused, Err(SchemaProblem::Keyword(_))), "{schema}");
        }
    }

    #[test]
    fn a_parameter_and_a_value_may_have_such_a_name() {
        let schema = json!({"properties": {"$ref": {"enum": [{"$ref": "x"}]}}});
        assert_eq!(check_schema(&schema), Ok(()));
    }

    #[test]
    fn a_schema_has_a_largest_size() {
        let schema = json!({"properties": {"a": {"enum": vec![0; MAX_SCHEMA_PLACES]}}});
        assert!(matches!(check_schema(&schema), Err(SchemaProblem::TooLarge(_))));
    }

    #[test]
    fn many_parameters_need_a_small_schema() {
        let schema = json!({"properties": {"a": {"enum": vec![0; 100]}}});
        assert!(can_check(&schema, &json!({"a": vec![0; 90_000]})));
        assert!(!can_check(&schema, &json!({"a": vec![0; 100_000]})));
    }
}
