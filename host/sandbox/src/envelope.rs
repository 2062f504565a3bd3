//! The JSON envelopes between host and guest (`sdk/contract`).

use attune_domain::Json;
use attune_domain::json_size::has_too_many_values;
use attune_domain::runner::{Job, LimitHit, RunEnd};
use serde::Deserialize;
use serde_json::json;

/// What a guest is asked to run.
pub(crate) fn request(job: &Job) -> String {
    json!({
        "entry": job.entry.file,
        "function": job.entry.function,
        "argv": [],
        "env": job.env,
        "params": job.params,
        "context": job.context,
    })
    .to_string()
}

/// What a guest is asked to do before it is given to a run.
pub(crate) fn prime_request() -> String {
    json!({"entry": crate::runner::PRIME_FILE}).to_string()
}

#[derive(Deserialize)]
struct Response {
    exit_code: Option<i32>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Json>,
}

/// Tells a result of `null` from no result.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(value).map(Some)
}

/// How a run ended, by the guest's own words.
pub(crate) fn end(response: &[u8]) -> RunEnd {
    if str::from_utf8(response).is_ok_and(|response| has_too_many_values([response])) {
        return RunEnd::Limit(LimitHit::Output);
    }
    match serde_json::from_slice(response) {
        Ok(Response { exit_code: Some(code), result: None }) => RunEnd::Exited(code),
        Ok(Response { exit_code: None, result: Some(value) }) => RunEnd::Returned(value),
        _ => RunEnd::Trapped("the runtime gave an answer that the host cannot read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses() {
        assert_eq!(end(br#"{"exit_code": 3}"#), RunEnd::Exited(3));
        assert_eq!(end(br#"{"result": [1]}"#), RunEnd::Returned(json!([1])));
        assert_eq!(end(br#"{"result": null}"#), RunEnd::Returned(Json::Null));
        let crowded = format!(r#"{{"result": [{}0]}}"#, "0,".repeat(100_000));
        assert_eq!(end(crowded.as_bytes()), RunEnd::Limit(LimitHit::Output));
        for nonsense in ["", "{}", "[]", r#"{"exit_code": 1, "result": 2}"#] {
            assert!(matches!(end(nonsense.as_bytes()), RunEnd::Trapped(_)), "{nonsense}");
        }
    }
}
