//! How parameters are written for a script (contract, packs section 6.2).

use std::fmt::Write as _;

use crate::action::ParameterFormat;
use crate::{Json, JsonObject};

/// The text a script reads, with its final newline.
pub fn encode(format: ParameterFormat, params: &JsonObject) -> String {
    match format {
        ParameterFormat::Json => format!("{}\n", Json::Object(params.clone())),
        ParameterFormat::Dotenv => dotenv(params),
        // JSON is YAML too, should the writer ever refuse a value.
        ParameterFormat::Yaml => serde_saphyr::to_string(params)
            .unwrap_or_else(|_| format!("{}\n", Json::Object(params.clone()))),
    }
}

/// Sorted `key='value'` lines, nested keys dotted, arrays as JSON.
fn dotenv(params: &JsonObject) -> String {
    let mut lines = Vec::new();
    collect(&mut lines, "", params);
    lines.sort();
    lines.concat()
}

fn collect(lines: &mut Vec<String>, prefix: &str, params: &JsonObject) {
    for (key, value) in params {
        let name = format!("{prefix}{key}");
        match value {
            Json::Object(nested) => collect(lines, &format!("{name}."), nested),
            Json::String(text) => lines.push(line(&name, text)),
            Json::Null => lines.push(line(&name, "")),
            other => lines.push(line(&name, &other.to_string())),
        }
    }
}

fn line(name: &str, value: &str) -> String {
    let mut line = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(line, "{name}='{}'", value.replace('\'', r"'\''"));
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn encoded(format: ParameterFormat, params: &Json) -> String {
        encode(format, params.as_object().unwrap())
    }

    #[test]
    fn json_is_one_compact_line() {
        let text = encoded(ParameterFormat::Json, &json!({"b": [1, 2], "a": "x\ny"}));
        assert_eq!(text, "{\"a\":\"x\\ny\",\"b\":[1,2]}\n");
    }

    #[test]
    fn dotenv_is_sorted_quoted_and_dotted() {
        let params = json!({"name": "it's", "headers": {"Accept": "a/b"}, "list": [1, "two"],
            "flag": true, "none": null});
        let expected = "flag='true'\nheaders.Accept='a/b'\nlist='[1,\"two\"]'\n\
            name='it'\\''s'\nnone=''\n";
        assert_eq!(encoded(ParameterFormat::Dotenv, &params), expected);
    }

    #[test]
    fn yaml_is_a_mapping_that_reads_back() {
        let params = json!({"a": {"b": [1, "two"]}, "text": "yes"});
        let text = encoded(ParameterFormat::Yaml, &params);
        let back: Json = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, params);
        assert!(text.ends_with('\n'));
    }
}
