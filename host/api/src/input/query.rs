//! Query strings and path parameters. Unknown query parameters are ignored; a known one
//! that cannot be read is 400 with its name.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use crate::problem::Problem;

/// The query string.
pub(crate) struct QueryString<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryString<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<QueryString<T>, Problem> {
        refuse_nul(&parts.uri)?;
        match AxumQuery::try_from_uri(&parts.uri) {
            Ok(AxumQuery(query)) => Ok(QueryString(query)),
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}

/// The parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        refuse_nul(&parts.uri)?;
        match AxumPath::from_request_parts(parts, state).await {
            Ok(AxumPath(value)) => Ok(Path(value)),
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}

/// No name and no text that is stored holds a NUL, and not every database can be asked for one.
fn refuse_nul(uri: &Uri) -> Result<(), Problem> {
    let asked = uri.path_and_query().map_or("", PathAndQuery::as_str);
    if asked.contains("%00") {
        return Err(Problem::bad_request("the address holds a NUL character (%00)"));
    }
    Ok(())
}

/// For `#[serde(default, deserialize_with)]`: clients send absent values as `name=`.
pub(crate) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| D::Error::custom(format!("{error}: '{text}'")))
}

/// Longest text that can be searched for, in characters.
const MAX_SEARCH_TEXT: usize = 1000;

/// For `#[serde(default, deserialize_with)]`: a text to search for, absent when empty.
pub(crate) fn search_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.chars().count() > MAX_SEARCH_TEXT {
        let problem = format!("a text to search for has at most {MAX_SEARCH_TEXT} characters");
        return Err(D::Error::custom(problem));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Asked {
        #[serde(default, deserialize_with = "optional")]
        page: Option<i64>,
        #[serde(default, deserialize_with = "optional")]
        deep: Option<bool>,
    }

    async fn read(uri: &str) -> Result<Asked, Problem> {
        let (mut parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        QueryString::from_request_parts(&mut parts, &()).await.map(|QueryString(asked)| asked)
    }

    #[tokio::test]
    async fn unknown_and_empty_parameters_do_no_harm() {
        let asked = read("/x?page=&limit=banana&deep=true").await.unwrap();
        assert_eq!((asked.page, asked.deep), (None, Some(true)));
    }

    #[tokio::test]
    async fn a_malformed_known_parameter_is_named() {
        let problem = read("/x?page=abc").await.unwrap_err();
        assert!(format!("{problem:?}").contains("page"), "{problem:?}");
    }
}
