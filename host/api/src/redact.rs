//! Hiding secret parameters (contract, executions section 2).

use attune_domain::JsonObject;
use serde_json::Value;

/// Stands where a secret was.
const HIDDEN: &str = "***";

/// Hides the values at `secret: true` paths of a flat schema or a JSON Schema.
pub(crate) fn hide_secrets(config: &mut JsonObject, schema: &Value) {
    let Some(object) = schema.as_object() else { return };
    let specs = object.get("properties").and_then(Value::as_object).unwrap_or(object);
    for (name, spec) in specs {
        if let Some(value) = config.get_mut(name) {
            hide(value, spec);
        }
    }
}

/// Hides every value: nobody can tell any more which of them were secret.
pub(crate) fn hide_all(config: &mut JsonObject) {
    for value in config.values_mut() {
        *value = HIDDEN.into();
    }
}

fn hide(value: &mut Value, spec: &Value) {
    if spec.get("secret").and_then(Value::as_bool) == Some(true) {
        *value = HIDDEN.into();
        return;
    }
    match value {
        Value::Object(fields) if spec.get("properties").is_some() => hide_secrets(fields, spec),
        Value::Array(items) => {
            if let Some(item) = spec.get("items") {
                for one in items {
                    hide(one, item);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, config: Value, expected: &Value) {
        let Value::Object(mut config) = config else { panic!("an object is needed") };
        hide_secrets(&mut config, schema);
        assert_eq!(&Value::Object(config), expected);
    }

    #[test]
    fn flat_and_json_schemas_hide_alike() {
        let specs =
            json!({"password": {"type": "string", "secret": true}, "user": {"type": "string"}});
        let config = json!({"password": "p", "user": "u", "extra": 1});
        let expected = json!({"password": "***", "user": "u", "extra": 1});
        check(&specs, config.clone(), &expected);
        check(&json!({"type": "object", "properties": specs}), config, &expected);
    }

    #[test]
    fn secrets_are_found_inside_objects_and_lists() {
        let inner = json!({"type": "object", "properties": {"token": {"secret": true}}});
        let schema = json!({"one": inner, "many": {"type": "array", "items": inner}});
        check(
            &schema,
            json!({"one": {"token": "t", "x": 1}, "many": [{"token": {"a": 1}}, 5]}),
            &json!({"one": {"token": "***", "x": 1}, "many": [{"token": "***"}, 5]}),
        );
    }
}
