//! The output of an execution as it grows, by server-sent events.
//!
//! `waiting` when there is none yet, `content` with what there is, `append` with what
//! follows, `done` when the execution has ended and all was sent. The id of `content`
//! and `append` is the offset in bytes behind what they bring: `?offset=` or
//! `Last-Event-ID` go on from there.

use attune_domain::access::Scope;
use attune_domain::execution::Execution;
use attune_domain::id::ExecutionId;
use attune_domain::notice::Notice;
use attune_domain::runner::Stream as Output;
use attune_domain::store::StoreResult;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::Event;
use futures::stream;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tracing::{Instrument, Span, error};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Refusals;
use super::executions::not_found;
use super::streaming::{Subject, respond};
use crate::auth::Bearer;
use crate::input::query::optional;
use crate::input::{Path, QueryString};
use crate::middleware::note_execution;
use crate::problem::{Problem, chain};
use crate::state::ApiState;

/// Bytes brought by one event.
const CHUNK: usize = 64 << 10;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(stream_log))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct LogParams {
    /// Bytes of the stream that the caller has.
    #[serde(default, deserialize_with = "optional")]
    offset: Option<u64>,
}

/// Follow the output of an execution
#[utoipa::path(get, path = "/executions/{id}/logs/{stream}/stream", tag = "executions",
    params(("id" = i64, Path), ("stream" = String, Path, description = "`stdout` or `stderr`"),
        LogParams),
    responses((status = 200, body = String, content_type = "text/event-stream",
        description = "Events `waiting`, `content`, `append`, `error`, `done`"), Refusals))]
async fn stream_log(
    State(state): State<ApiState>,
    caller: Bearer,
    Path((id, output)): Path<(i64, String)>,
    QueryString(asked): QueryString<LogParams>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let output = match output.as_str() {
        "stdout" => Output::Stdout,
        "stderr" => Output::Stderr,
        _ => return Err(Problem::not_found("the streams are stdout and stderr")),
    };
    let (id, scope) = (ExecutionId(id), caller.scope());
    note_execution(id);
    // Subscribed before the store is read, so that output in between is not missed.
    let notices = state.orchestrator.watch();
    let execution = state.store.execution(scope, id).await?.ok_or_else(not_found)?;
    let offset = last_event_id(&headers).or(asked.offset).unwrap_or(0);
    let tail = Tail::new(state.clone(), &execution, scope, output, offset, notices);
    let span = Span::current();
    let events = stream::unfold(tail, move |tail| tail.next().instrument(span.clone()));
    Ok(respond(&state, &caller, Subject::One, events))
}

fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

struct Tail {
    state: ApiState,
    scope: Scope,
    id: ExecutionId,
    output: Output,
    notices: Receiver<Notice>,
    /// Bytes sent, or had by the caller before.
    offset: u64,
    said: Said,
    /// The execution will write no more.
    ended: bool,
    over: bool,
}

/// What the caller has heard.
#[derive(PartialEq)]
enum Said {
    Nothing,
    Waiting,
    Content,
}

impl Tail {
    fn new(
        state: ApiState,
        execution: &Execution,
        scope: Scope,
        output: Output,
        offset: u64,
        notices: Receiver<Notice>,
    ) -> Tail {
        Tail {
            state,
            scope,
            id: execution.id,
            output,
            notices,
            offset,
            said: Said::Nothing,
            ended: execution.state.status.is_terminal(),
            over: false,
        }
    }

    async fn next(mut self) -> Option<(Event, Tail)> {
        if self.over {
            return None;
        }
        let event = match self.event().await {
            Ok(event) => event,
            Err(error) => {
                error!(cause = chain(&error), "a log stream was given up");
                self.over = true;
                Event::default().event("error").data("the log cannot be read now")
            }
        };
        Some((event, self))
    }

    async fn event(&mut self) -> StoreResult<Event> {
        loop {
            // Known before the log is read: what an ended execution wrote is all there.
            let ended = self.ended;
            let limit = CHUNK as u64;
            let (id, output) = (self.id, self.output);
            let bytes =
                self.state.store.read_log(self.scope, id, output, self.offset, limit).await?;
            let last = ended && bytes.len() < CHUNK;
            let whole = if last { bytes.len() } else { whole_characters(&bytes) };
            if whole > 0 {
                return Ok(self.bring(&bytes[..whole]));
            }
            if ended {
                self.over = true;
                return Ok(Event::default().event("done").data("the execution has ended"));
            }
            if self.said == Said::Nothing {
                self.said = Said::Waiting;
                return Ok(Event::default().event("waiting").data("no output yet"));
            }
            self.news().await?;
        }
    }

    fn bring(&mut self, bytes: &[u8]) -> Event {
        let name = if self.said == Said::Content { "append" } else { "content" };
        self.said = Said::Content;
        self.offset += bytes.len() as u64;
        // A carriage return ends a line in an event stream as well: one line must not become two.
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        Event::default().event(name).id(self.offset.to_string()).data(text)
    }

    /// Returns when there may be more to read.
    async fn news(&mut self) -> StoreResult<()> {
        loop {
            match self.notices.recv().await {
                Ok(Notice::Output { execution, .. }) if execution == self.id => return Ok(()),
                Ok(Notice::Execution(notice))
                    if notice.execution == self.id && notice.status.is_terminal() =>
                {
                    self.ended = true;
                    return Ok(());
                }
                Ok(Notice::Missed) | Err(RecvError::Lagged(_)) => {
                    let execution = self.state.store.execution(self.scope, self.id).await?;
                    self.ended = execution.is_none_or(|now| now.state.status.is_terminal());
                    return Ok(());
                }
                Ok(_) => {}
                Err(RecvError::Closed) => {
                    self.ended = true;
                    return Ok(());
                }
            }
        }
    }
}

/// Length of `bytes` without a character at its end that has not come in whole.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    for start in (tail..bytes.len()).rev() {
        let wanted = match bytes[start] {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            0x80..=0xBF => continue,
            _ => return bytes.len(),
        };
        return if start + wanted > bytes.len() { start } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], whole: usize) {
        assert_eq!(whole_characters(bytes), whole, "{bytes:?}");
    }

    #[test]
    fn characters_are_not_cut() {
        check(b"", 0);
        check(b"abc", 3);
        check("aä".as_bytes(), 3);
        check(&"aä".as_bytes()[..2], 1);
        check(&"€".as_bytes()[..1], 0);
        check(&"a€".as_bytes()[..3], 1);
        check(&"a😀".as_bytes()[..4], 1);
        check("a😀".as_bytes(), 5);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_the_stream() {
        check(&[0xFF], 1);
        check(&[0x80, 0x80, 0x80, 0x80], 4);
        check(&[b'a', 0x80], 2);
    }

    #[test]
    fn a_stream_goes_on_from_the_last_event() {
        let headers = |value: &str| {
            HeaderMap::from_iter([("last-event-id".parse().unwrap(), value.parse().unwrap())])
        };
        assert_eq!(last_event_id(&headers("42")), Some(42));
        assert_eq!(last_event_id(&headers("x")), None);
        assert_eq!(last_event_id(&HeaderMap::new()), None);
    }
}
