//! Parameters on the command line: `key=value` read by the type that the action
//! declares, `key:=JSON` as it stands.

use attune_domain::schema::to_json_schema;
use attune_domain::{Json, JsonObject};

use crate::failure::Failure;

/// The parameters that the arguments stand for.
pub(super) fn read(arguments: &[String], schema: &Json) -> Result<JsonObject, Failure> {
    let schema = to_json_schema(schema);
    let mut parameters = JsonObject::new();
    for argument in arguments {
        let (key, value) = read_one(argument, &schema)?;
        if parameters.insert(key.to_owned(), value).is_some() {
            return Err(Failure::usage(format_args!("parameter '{key}' is given twice")));
        }
    }
    Ok(parameters)
}

fn read_one<'a>(argument: &'a str, schema: &Json) -> Result<(&'a str, Json), Failure> {
    let Some((key, value)) = argument.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err(Failure::usage(format_args!("'{argument}' is no parameter"))
            .remedy("write key=value or key:=JSON"));
    };
    if let Some(key) = key.strip_suffix(':') {
        let value = serde_json::from_str(value).map_err(|error| {
            Failure::usage(format_args!("parameter '{key}': not JSON: {error}"))
                .remedy(format_args!("text without JSON: {key}=…"))
        })?;
        return Ok((key, value));
    }
    Ok((key, typed(key, value, &schema["properties"][key]["type"])?))
}

/// The text as a value of the declared type; a type that is unknown or a choice takes text.
fn typed(key: &str, text: &str, declared: &Json) -> Result<Json, Failure> {
    let Some(name) = declared.as_str() else { return Ok(text.into()) };
    let parsed = || serde_json::from_str::<Json>(text).ok();
    let value = match name {
        "integer" => parsed().filter(|value| value.is_i64() || value.is_u64()),
        "number" => parsed().filter(Json::is_number),
        "boolean" => parsed().filter(Json::is_boolean),
        "array" => parsed().filter(Json::is_array),
        "object" => parsed().filter(Json::is_object),
        _ => Some(text.into()),
    };
    value.ok_or_else(|| {
        Failure::usage(format_args!("parameter '{key}': '{text}' is no {name}"))
            .remedy(format_args!("to send it nevertheless: {key}:='\"{text}\"'"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(arguments: &[&str]) -> Result<Json, String> {
        let schema = json!({"n": {"type": "integer"}, "on": {"type": "boolean"},
            "list": {"type": "array"}, "text": {"type": "string"}});
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        read(&arguments, &schema).map(Json::Object).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_declared_type_reads_the_text() {
        let read = check(&["n=3", "on=true", "list=[1]", "text=12", "other=12", "empty="]);
        let expected = json!({"n": 3, "on": true, "list": [1], "text": "12", "other": "12",
            "empty": ""});
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn json_is_taken_as_it_stands() {
        let read = check(&["other:={\"a\": [1, null]}", "text:=7", "sum=a:=b"]);
        assert_eq!(read, Ok(json!({"other": {"a": [1, null]}, "text": 7, "sum": "a:=b"})));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(check(&["n=three"]).unwrap_err().contains("'n': 'three' is no integer"));
        assert!(check(&["x:=oops"]).unwrap_err().contains("'x': not JSON"));
        assert!(check(&["alone"]).unwrap_err().contains("'alone' is no parameter"));
        assert!(check(&["n=1", "n=2"]).unwrap_err().contains("given twice"));
    }
}
