//! `Prefer: wait=<seconds>` (RFC 7240): an answer that waits for the end of an
//! execution, so that a synchronous caller needs one request and no polling.

use std::time::Duration;

use attune_domain::access::Scope;
use attune_domain::execution::Execution;
use attune_domain::id::ExecutionId;
use attune_domain::store::StoreResult;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};

use crate::state::ApiState;

/// How long a caller is willing to wait, in whole seconds; shown in `Preference-Applied`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(u64);

impl Wait {
    /// What the headers ask for, at most `cap`. A preference that cannot be read is ignored.
    pub(crate) fn preferred(headers: &HeaderMap, cap: Duration) -> Option<Wait> {
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let seconds = values.flat_map(|value| value.split(',')).find_map(|preference| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            let wanted = name.trim().eq_ignore_ascii_case("wait");
            wanted.then(|| value.trim().trim_matches('"').parse::<u64>().ok()).flatten()
        });
        seconds.map(|seconds| Wait(seconds.min(cap.as_secs())))
    }

    /// The execution once it has ended, or as it is when the time is over.
    pub(crate) async fn for_end(
        self,
        state: &ApiState,
        scope: Scope,
        id: ExecutionId,
    ) -> StoreResult<Option<Execution>> {
        state.orchestrator.wait_for_end(scope, id, Duration::from_secs(self.0)).await
    }
}

/// The response header that says the preference was honoured.
pub(crate) struct Applied(pub(crate) Option<Wait>);

impl IntoResponseParts for Applied {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        const APPLIED: HeaderName = HeaderName::from_static("preference-applied");
        let value = self.0.map(|Wait(seconds)| HeaderValue::try_from(format!("wait={seconds}")));
        if let Some(Ok(value)) = value {
            parts.headers_mut().insert(APPLIED, value);
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], expected: Option<u64>) {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append("prefer", value.parse().unwrap());
        }
        let wait = Wait::preferred(&map, Duration::from_mins(1));
        assert_eq!(wait, expected.map(Wait), "{headers:?}");
    }

    #[test]
    fn the_preference_is_found_and_capped() {
        check(&[], None);
        check(&["wait=5"], Some(5));
        check(&["respond-async, Wait=7; x=y"], Some(7));
        check(&["return=minimal", "wait=\"8\""], Some(8));
        check(&["wait=0"], Some(0));
        check(&["wait=100000"], Some(60));
        check(&["wait=-1"], None);
        check(&["wait=soon"], None);
        check(&["waiter=3"], None);
    }
}
