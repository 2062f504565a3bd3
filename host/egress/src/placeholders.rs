//! Secrets that a guest names and never has: `{{secret:NAME}}` in a field or a body.

use std::collections::BTreeMap;

use attune_domain::egress::{Body, EgressError};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, Request, header};

const OPEN: &[u8] = b"{{secret:";
const CLOSE: &[u8] = b"}}";
/// Bytes of a body in which placeholders are filled in: it has to be there as a whole, as its
/// length changes. A larger one is sent as it is.
const MAX_BODY: usize = 1 << 20;

/// Fills in what the action may use for the host it asks. A field with a placeholder for
/// anything else is refused: sent as it is, it would be of no use to anybody.
pub(crate) async fn fill(
    mut request: Request<Option<Body>>,
    granted: &[String],
    secrets: &BTreeMap<String, String>,
) -> Result<Request<Option<Body>>, EgressError> {
    let may = |name: &str| granted.iter().any(|granted| granted == name);
    let lookup = |name: &str| secrets.get(name).filter(|_| may(name)).map(String::as_str);
    for (field, value) in request.headers_mut() {
        let Some(filled) = filled(value.as_bytes(), lookup)? else { continue };
        let secret = HeaderValue::from_bytes(&filled).map_err(|_| {
            EgressError::InvalidRequest(format!("a secret cannot stand in the field {field}"))
        })?;
        *value = secret;
        value.set_sensitive(true);
    }
    if secrets.is_empty() { Ok(request) } else { fill_body(request, lookup).await }
}

async fn fill_body<'s>(
    request: Request<Option<Body>>,
    lookup: impl Fn(&str) -> Option<&'s str>,
) -> Result<Request<Option<Body>>, EgressError> {
    let (mut head, body) = request.into_parts();
    let Some(mut body) = body else { return Ok(Request::from_parts(head, None)) };
    let mut whole = BytesMut::new();
    while let Some(piece) = body.try_next().await? {
        whole.extend_from_slice(&piece);
        if whole.len() > MAX_BODY {
            let begin = stream::iter([Ok(whole.freeze())]);
            return Ok(Request::from_parts(head, Some(begin.chain(body).boxed())));
        }
    }
    let whole = filled(&whole, lookup)?.map_or_else(|| whole.freeze(), Bytes::from);
    head.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    Ok(Request::from_parts(head, Some(stream::iter([Ok(whole)]).boxed())))
}

/// The text with its placeholders filled in; none where there are none.
fn filled<'s>(
    text: &[u8],
    lookup: impl Fn(&str) -> Option<&'s str>,
) -> Result<Option<Vec<u8>>, EgressError> {
    let mut rest = text;
    let mut filled = Vec::new();
    while let Some(at) = position(rest, OPEN) {
        let after = &rest[at + OPEN.len()..];
        let Some(end) = position(after, CLOSE) else { break };
        let name = std::str::from_utf8(&after[..end]).unwrap_or_default();
        let secret = lookup(name).ok_or_else(|| {
            EgressError::Denied(format!(
                "the secret {name:?} is not one that `permissions.http` in the manifest has for \
                 this host"
            ))
        })?;
        filled.extend_from_slice(&rest[..at]);
        filled.extend_from_slice(secret.as_bytes());
        rest = &after[end + CLOSE.len()..];
    }
    if rest.len() == text.len() {
        return Ok(None);
    }
    filled.extend_from_slice(rest);
    Ok(Some(filled))
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<&'static str> {
        (name == "token").then_some("s3cret")
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let filled = filled(text.as_bytes(), lookup).unwrap();
        assert_eq!(filled.as_deref(), expected.map(str::as_bytes));
    }

    #[test]
    fn placeholders_are_filled_in() {
        check("Bearer {{secret:token}}", Some("Bearer s3cret"));
        check("{{secret:token}}-{{secret:token}}.", Some("s3cret-s3cret."));
        check("{{ secret:token }} {{secret:token", None);
        check("", None);
    }

    #[test]
    fn what_is_not_granted_is_refused() {
        let refused = filled(b"{{secret:other}}", lookup);
        assert!(matches!(refused, Err(EgressError::Denied(text)) if text.contains("other")));
    }

    #[test]
    fn a_secret_is_not_looked_for_in_a_secret() {
        let text = filled(b"{{secret:a}}", |_| Some("{{secret:a}}")).unwrap();
        assert_eq!(text.as_deref(), Some(&b"{{secret:a}}"[..]));
    }
}
