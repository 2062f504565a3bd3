//! JSON bodies: malformed is 400, the wrong shape is 422 and names the field.

use attune_domain::json_size::{MAX_VALUES, has_too_many_values};
use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::body::{is_too_large, limited};
use super::validate::Validate;
use crate::problem::Problem;
use crate::state::ApiState;

/// A JSON body, parsed and validated.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON body as it came, for a handler that also needs its bytes.
pub(crate) struct RawJson(pub(crate) Bytes);

impl RawJson {
    pub(crate) fn parse<T: DeserializeOwned + Validate>(&self) -> Result<T, Problem> {
        let value: T = parse(&self.0)?;
        value.validate()?;
        Ok(value)
    }
}

impl FromRequest<ApiState> for RawJson {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<RawJson, Problem> {
        check_content_type(request.headers())?;
        let limit = state.settings.max_body_bytes;
        match to_bytes(limited(request.into_body(), limit), usize::MAX).await {
            Ok(bytes) => Ok(RawJson(bytes)),
            Err(error) if is_too_large(&error) => Err(Problem::too_large(limit)),
            Err(error) => Err(Problem::bad_request(format!("the body cannot be read: {error}"))),
        }
    }
}

impl<T: DeserializeOwned + Validate> FromRequest<ApiState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<JsonBody<T>, Problem> {
        RawJson::from_request(request, state).await?.parse().map(JsonBody)
    }
}

/// A body without a type is taken for JSON, as nothing else is served here.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    Err(Problem::unsupported_media_type("application/json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde would take an array for a struct, field by field.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        let any = serde_json::from_slice::<IgnoredAny>(bytes);
        return Err(any.map_or_else(
            |error| refused("", &error),
            |_| Problem::invalid("body", "must be a JSON object"),
        ));
    }
    if str::from_utf8(bytes).is_ok_and(|text| has_too_many_values([text])) {
        return Err(Problem::invalid("body", format!("has more than {MAX_VALUES} values")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, &error.into_inner())
    })?;
    deserializer.end().map_err(|error| refused("", &error))?;
    Ok(value)
}

fn refused(path: &str, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return Problem::bad_request(format!("the body is not valid JSON: {error}"));
    }
    let text = error.to_string();
    // Positions help with broken syntax; here the field says it better.
    let text = text.split(" at line ").next().unwrap_or_default();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let inside = (path != ".").then_some(path);
    match (missing, inside) {
        (Some(name), None) => Problem::invalid(name, "this field is required"),
        (Some(name), Some(path)) => {
            Problem::invalid(&format!("{path}.{name}"), "this field is required")
        }
        (None, path) => Problem::invalid(path.unwrap_or("body"), text),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use serde::Deserialize;
    use serde_json::Value;

    use super::super::validate::Checks;
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Wanted {
        name: String,
        #[expect(dead_code, reason = "only its type is of interest")]
        sizes: Vec<u8>,
    }

    impl Validate for Wanted {
        fn validate(&self) -> Result<(), Problem> {
            Checks::default().text("name", &self.name, 2, 4).done()
        }
    }

    async fn check(body: &'static str, status: u16, field: &str) {
        let raw = RawJson(Bytes::from_static(body.as_bytes()));
        let problem = raw.parse::<Wanted>().expect_err(body);
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::from_u16(status).unwrap(), "{body}");
        let bytes = to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["details"]["field"].as_str().unwrap_or_default(), field, "{value}");
    }

    #[tokio::test]
    async fn syntax_is_400_and_shape_is_422() {
        check("", 400, "").await;
        check("{\"name\": ", 400, "").await;
        check("{\"name\":\"abc\",\"sizes\":[1]} x", 400, "").await;
        check("{\"sizes\":[]}", 422, "name").await;
        check("{\"name\":5,\"sizes\":[]}", 422, "name").await;
        check("{\"name\":\"abc\",\"sizes\":[1,999]}", 422, "sizes[1]").await;
        check("{\"name\":\"a\",\"sizes\":[]}", 422, "name").await;
        check("[\"abc\",[1]]", 422, "body").await;
        check("[1,", 400, "").await;
        check("7", 422, "body").await;
    }

    #[test]
    fn unknown_fields_are_ignored_and_length_counts_characters() {
        let raw = RawJson(Bytes::from("{\"name\":\"äöüß\",\"sizes\":[],\"more\":1}"));
        assert_eq!(raw.parse::<Wanted>().unwrap().name, "äöüß");
    }

    #[test]
    fn other_content_types_are_refused() {
        let headers =
            |value: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
        assert!(check_content_type(&headers("application/json; charset=utf-8")).is_ok());
        assert!(check_content_type(&headers("application/problem+json")).is_ok());
        assert!(check_content_type(&HeaderMap::new()).is_ok());
        assert!(check_content_type(&headers("text/plain")).is_err());
    }
}
