//! Which parameters are secret, and what others may see of them (contract, executions
//! section 2).
//!
//! Decided once, when an execution is asked for: whoever changes the action's schema later
//! learns nothing of what was sent before.

use std::collections::HashMap;

use crate::schema::is_json_schema;
use crate::{Json, JsonObject};

/// Stands where a secret was.
pub(crate) const HIDDEN: &str = "***";

/// `params` with the values at `secret: true` paths of a flat schema or a JSON Schema hidden;
/// none when there is nothing to hide.
pub fn redacted(params: &JsonObject, schema: &Json) -> Option<JsonObject> {
    let secrets = match schema.as_object()? {
        json_schema if is_json_schema(json_schema) => Secrets::of(schema)?,
        flat => Secrets::Inside { fields: fields(flat), items: None },
    };
    let mut redacted = params.clone();
    hide_in(&mut redacted, &secrets).then_some(redacted)
}

/// The values that [`redacted`] has hidden in `params`.
pub fn hidden_values<'a>(params: &'a JsonObject, redacted: &JsonObject) -> Vec<&'a Json> {
    let mut hidden = Vec::new();
    for (name, value) in params {
        collect_hidden(&mut hidden, value, redacted.get(name));
    }
    hidden
}

fn collect_hidden<'a>(hidden: &mut Vec<&'a Json>, value: &'a Json, shown: Option<&Json>) {
    match (value, shown) {
        (Json::Object(values), Some(Json::Object(shown))) => {
            for (name, value) in values {
                collect_hidden(hidden, value, shown.get(name));
            }
        }
        (Json::Array(values), Some(Json::Array(shown))) => {
            for (value, shown) in values.iter().zip(shown) {
                collect_hidden(hidden, value, Some(shown));
            }
        }
        (value, Some(shown)) if value == shown => {}
        (value, _) => hidden.push(value),
    }
}

/// Whether all of the parameter is secret.
pub fn is_secret_parameter(schema: &Json, name: &str) -> bool {
    let properties = match schema.as_object() {
        Some(json_schema) if is_json_schema(json_schema) => json_schema.get("properties"),
        Some(_) => Some(schema),
        None => None,
    };
    let parameter = properties.and_then(|properties| properties.get(name)?.as_object());
    parameter.is_some_and(is_secret)
}

/// The secret parts of a value.
enum Secrets<'a> {
    All,
    Inside { fields: HashMap<&'a str, Secrets<'a>>, items: Option<Box<Secrets<'a>>> },
}

impl<'a> Secrets<'a> {
    /// What a schema calls secret in a value; none when that is nothing.
    ///
    /// Only properties and items are followed. Where a schema speaks of secrets in any other
    /// way, in `allOf` or `additionalProperties` say, all of the value is taken for one.
    fn of(schema: &'a Json) -> Option<Secrets<'a>> {
        let schema = schema.as_object()?;
        if is_secret(schema) {
            return Some(Secrets::All);
        }
        let (mut inside, mut in_items) = (HashMap::new(), None);
        for (keyword, value) in schema {
            match (keyword.as_str(), value) {
                ("properties", Json::Object(properties)) => inside = fields(properties),
                ("items", Json::Object(_)) => in_items = Secrets::of(value).map(Box::new),
                _ if mentions_a_secret(value) => return Some(Secrets::All),
                _ => {}
            }
        }
        let found = !inside.is_empty() || in_items.is_some();
        found.then_some(Secrets::Inside { fields: inside, items: in_items })
    }

    fn of_field(&self, name: &str) -> Option<&Self> {
        match self {
            Secrets::All => Some(self),
            Secrets::Inside { fields, .. } => fields.get(name),
        }
    }
}

fn fields(properties: &JsonObject) -> HashMap<&str, Secrets<'_>> {
    let secrets = |(name, schema)| Some((String::as_str(name), Secrets::of(schema)?));
    properties.iter().filter_map(secrets).collect()
}

fn is_secret(schema: &JsonObject) -> bool {
    schema.get("secret") == Some(&Json::Bool(true))
}

fn mentions_a_secret(schema: &Json) -> bool {
    match schema {
        Json::Object(object) => is_secret(object) || object.values().any(mentions_a_secret),
        Json::Array(array) => array.iter().any(mentions_a_secret),
        _ => false,
    }
}

/// Hides what is secret in an object; whether there was anything.
///
/// The loop is over what was sent: it may be far less than what a schema describes.
fn hide_in(object: &mut JsonObject, secrets: &Secrets<'_>) -> bool {
    let fields = object.iter_mut();
    hide_each(fields.filter_map(|(name, value)| Some((value, secrets.of_field(name)?))))
}

fn hide(value: &mut Json, secrets: &Secrets<'_>) -> bool {
    match (value, secrets) {
        (value, Secrets::All) => {
            *value = HIDDEN.into();
            true
        }
        (Json::Object(object), secrets) => hide_in(object, secrets),
        (Json::Array(array), Secrets::Inside { items: Some(item), .. }) => {
            hide_each(array.iter_mut().map(|one| (one, &**item)))
        }
        _ => false,
    }
}

fn hide_each<'a>(values: impl Iterator<Item = (&'a mut Json, &'a Secrets<'a>)>) -> bool {
    let mut hidden = false;
    for (value, secrets) in values {
        hidden |= hide(value, secrets);
    }
    hidden
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn shows(schema: &Json, params: &Json, expected: &Json) {
        let shown = redacted(params.as_object().unwrap(), schema);
        assert_eq!(shown.as_ref(), expected.as_object());
    }

    #[test]
    fn what_was_hidden_is_found_again() {
        let params = json!({"a": "x", "b": {"c": "y", "d": 1}, "e": ["z", "w"]});
        let shown = json!({"a": "***", "b": {"c": "***", "d": 1}, "e": ["z", "***"]});
        let (params, shown) = (params.as_object().unwrap(), shown.as_object().unwrap());
        assert_eq!(hidden_values(params, shown), [&json!("x"), &json!("y"), &json!("w")]);
    }

    #[test]
    fn flat_and_json_schemas_hide_alike() {
        let specs =
            json!({"password": {"type": "string", "secret": true}, "user": {"type": "string"}});
        let params = json!({"password": "p", "user": "u", "extra": 1});
        let expected = json!({"password": "***", "user": "u", "extra": 1});
        shows(&specs, &params, &expected);
        shows(&json!({"type": "object", "properties": specs}), &params, &expected);
    }

    #[test]
    fn a_flat_schema_may_have_a_parameter_named_properties() {
        let schema = json!({"properties": {"type": "object"}, "password": {"secret": true}});
        shows(
            &schema,
            &json!({"properties": {"a": 1}, "password": "p"}),
            &json!({"properties": {"a": 1}, "password": "***"}),
        );
    }

    #[test]
    fn secrets_are_found_inside_objects_and_lists() {
        let inner = json!({"type": "object", "properties": {"token": {"secret": true}}});
        let schema = json!({"one": inner, "many": {"type": "array", "items": inner}});
        shows(
            &schema,
            &json!({"one": {"token": "t", "x": 1}, "many": [{"token": {"a": 1}}, 5]}),
            &json!({"one": {"token": "***", "x": 1}, "many": [{"token": "***"}, 5]}),
        );
    }

    #[test]
    fn a_parameter_with_a_secret_in_another_place_is_hidden_whole() {
        let secret = json!({"properties": {"token": {"secret": true}}});
        for spec in [
            json!({"allOf": [secret]}),
            json!({"additionalProperties": secret}),
            json!({"items": [secret]}),
            json!({"properties": {"b": {"anyOf": [secret]}}, "not": secret}),
        ] {
            let sent = json!({"a": {"token": "t"}, "plain": 1});
            shows(&json!({"a": spec}), &sent, &json!({"a": "***", "plain": 1}));
        }
        let schema = json!({"type": "object", "properties": {}, "patternProperties": {"": secret}});
        shows(&schema, &json!({"a": 1, "b": {}}), &json!({"a": "***", "b": "***"}));
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_secret() {
        let nothing = |schema: Json, params: Json| {
            assert_eq!(redacted(params.as_object().unwrap(), &schema), None, "{schema}");
        };
        nothing(json!({"a": {"secret": true}}), json!({"b": 1}));
        nothing(json!({"a": {"secret": false}}), json!({"a": 1}));
        nothing(json!({"secret": {"type": "boolean"}}), json!({"secret": true}));
        nothing(json!("no schema"), json!({"a": 1}));
    }
}
