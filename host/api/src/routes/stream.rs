//! Executions as they change, by server-sent events (contract, operations section 7.2).

use std::collections::VecDeque;

use attune_domain::access::Scope;
use attune_domain::execution::{Execution, ExecutionFilter};
use attune_domain::id::ExecutionId;
use attune_domain::notice::{ExecutionNotice, Notice};
use attune_domain::page::Page;
use attune_domain::store::StoreResult;
use axum::extract::State;
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
use crate::input::QueryString;
use crate::input::query::optional;
use crate::models::notification::ExecutionEvent;
use crate::problem::{Problem, chain};
use crate::state::ApiState;

/// Executions told again when notices were missed: the newest ones.
const CATCH_UP: u32 = 100;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(stream_executions))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct StreamParams {
    /// Only this one; the stream then begins with its present state and ends with it.
    #[serde(default, deserialize_with = "optional")]
    execution_id: Option<i64>,
}

/// Follow executions
#[utoipa::path(get, path = "/executions/stream", tag = "executions", params(StreamParams),
    responses((status = 200, body = ExecutionEvent, content_type = "text/event-stream",
        description = "One `data:` line with such an object for each step"), Refusals))]
async fn stream_executions(
    State(state): State<ApiState>,
    caller: Bearer,
    QueryString(asked): QueryString<StreamParams>,
) -> Result<impl IntoResponse, Problem> {
    // Subscribed before the store is read, so that a step in between is not missed.
    let notices = state.orchestrator.watch();
    let mut watch = Watch {
        state: state.clone(),
        scope: caller.scope(),
        followed: None,
        notices,
        ready: VecDeque::new(),
        over: false,
    };
    if let Some(id) = asked.execution_id {
        let execution = state.store.execution(caller.scope(), ExecutionId(id)).await?;
        watch.begin_with(&execution.ok_or_else(not_found)?);
    }
    let subject = if watch.followed.is_some() { Subject::One } else { Subject::All };
    let span = Span::current();
    let events = stream::unfold(watch, move |watch| watch.next().instrument(span.clone()));
    Ok(respond(&state, &caller, subject, events))
}

struct Watch {
    state: ApiState,
    scope: Scope,
    followed: Option<Followed>,
    notices: Receiver<Notice>,
    ready: VecDeque<Event>,
    /// Nothing follows what is ready.
    over: bool,
}

/// The one execution that is followed.
struct Followed {
    id: ExecutionId,
    /// Of the row that was read and sent. Notices up to it are older than what was sent.
    version: i64,
}

impl Watch {
    async fn next(mut self) -> Option<(Event, Watch)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            if self.over {
                return None;
            }
            match self.notices.recv().await {
                Ok(Notice::Execution(notice)) => self.take(&notice),
                Ok(Notice::Output { .. }) => {}
                Err(RecvError::Closed) => self.over = true,
                Ok(Notice::Missed) | Err(RecvError::Lagged(_)) => {
                    if let Err(error) = self.catch_up().await {
                        error!(cause = chain(&error), "a stream of executions was given up");
                        self.over = true;
                    }
                }
            }
        }
    }

    fn begin_with(&mut self, execution: &Execution) {
        let status = execution.state.status;
        self.followed = Some(Followed { id: execution.id, version: execution.state.version });
        self.send(&ExecutionEvent::new(&ExecutionNotice::new(execution, status, None)));
        self.over = status.is_terminal();
    }

    fn take(&mut self, notice: &ExecutionNotice) {
        if notice.tenant != self.scope.tenant() {
            return;
        }
        if let Some(followed) = &self.followed {
            if notice.execution != followed.id || notice.version <= followed.version {
                return;
            }
            self.over = notice.status.is_terminal();
        }
        self.send(&ExecutionEvent::new(notice));
    }

    /// Notices were missed: tells the state that the store has now.
    async fn catch_up(&mut self) -> StoreResult<()> {
        if let Some(followed) = &self.followed {
            match self.state.store.execution(self.scope, followed.id).await? {
                Some(execution) => self.begin_with(&execution),
                None => self.over = true,
            }
            return Ok(());
        }
        let page = Page { number: 1, size: CATCH_UP, count: false };
        let filter = ExecutionFilter::default();
        let newest = self.state.store.executions(self.scope, &filter, page).await?;
        newest.items.iter().rev().for_each(|row| self.send(&ExecutionEvent::of_row(row)));
        Ok(())
    }

    fn send(&mut self, event: &ExecutionEvent) {
        // Every field has a JSON form, and JSON has no line breaks.
        if let Ok(json) = serde_json::to_string(event) {
            self.ready.push_back(Event::default().data(json));
        }
    }
}
