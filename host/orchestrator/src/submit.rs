//! Taking a request for an execution: on disk before the caller hears of it, and,
//! when a runner is free, claimed and started in the same commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use attune_domain::JsonObject;
use attune_domain::access::{Principal, Scope};
use attune_domain::action::RunnableAction;
use attune_domain::clock::Timestamp;
use attune_domain::execution::outcome::Outcome;
use attune_domain::execution::transition::{self, Event, IllegalTransition};
use attune_domain::execution::{Execution, ExecutionStatus, Idempotency, NewExecution, State};
use attune_domain::id::IdentityId;
use attune_domain::runner::Place;
use attune_domain::secret_parameters::redacted;
use attune_domain::store::{StoreError, Submitted};
use attune_domain::worker::Holder;

use crate::shared::Shared;
use crate::{Orchestrator, attempt, commit, prepare};

/// A request that the door has checked: the caller may see and execute the action.
#[derive(Clone, Debug)]
pub struct ExecutionRequest {
    pub runnable: RunnableAction,
    pub config: Option<JsonObject>,
    pub env_vars: BTreeMap<String, String>,
    pub permission_set_refs: Option<Vec<String>>,
    pub extra: JsonObject,
    pub idempotency: Option<Idempotency>,
}

/// Why no execution was created.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error("this Idempotency-Key came before with another request")]
    KeyReused,
    #[error("the server is shutting down and takes no more work")]
    Draining,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The steps of an execution that is created started.
const STARTED_STEPS: [ExecutionStatus; 3] =
    [ExecutionStatus::Requested, ExecutionStatus::Scheduled, ExecutionStatus::Running];

impl Orchestrator {
    /// Creates an execution; it is on disk when this returns. A request that repeats an
    /// idempotency key returns the first one's execution.
    pub async fn submit(
        &self,
        principal: &Principal,
        request: ExecutionRequest,
    ) -> Result<Execution, SubmitError> {
        let (scope, executor) = (principal.scope(), principal.identity());
        let task = create(self.shared.clone(), scope, executor, request);
        // A task of its own: a caller that goes away between the commit and the start
        // must not leave an execution that nobody runs.
        let task = self.shared.attempts.spawn(task);
        task.await.unwrap_or_else(|panic| Err(StoreError::Unavailable(Box::new(panic)).into()))
    }
}

async fn create(
    shared: Arc<Shared>,
    scope: Scope,
    executor: IdentityId,
    request: ExecutionRequest,
) -> Result<Execution, SubmitError> {
    // Looked at from within a task that draining waits for: what is let in is seen through.
    if shared.stopping.is_cancelled() {
        return Err(SubmitError::Draining);
    }
    let action = &request.runnable.action;
    let config = request.config.as_ref();
    let refusal = prepare::refusal(&shared.settings, scope.tenant(), action, config);
    let place = match refusal {
        None if !shared.queue_waits() => shared.may_claim().zip(shared.runner.try_reserve()),
        _ => None,
    };
    let (holder, place) = place.unzip();
    let now = shared.clock.now();
    let state =
        initial_state(holder, now).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    let ExecutionRequest { runnable, config, env_vars, .. } = request;
    let schema = runnable.action.param_schema.as_ref();
    let redacted_config = config.as_ref().zip(schema);
    let new = NewExecution {
        action: runnable.action.id,
        action_ref: runnable.action.reference.clone(),
        redacted_config: redacted_config.and_then(|(sent, schema)| redacted(sent, schema)),
        config,
        env_vars,
        permission_set_refs: request.permission_set_refs,
        extra: request.extra,
        executor: Some(executor),
        state,
        idempotency: request.idempotency,
    };
    let _taking = place.is_some().then(|| shared.attendance.taking());
    // A cancel may see the commit before the run is noted, and then waits for this.
    let _starting = if place.is_some() { Some(shared.live.starting().await) } else { None };
    match shared.store.submit(scope, new, now).await? {
        Submitted::New(execution) => Ok(go_on(&shared, execution, runnable, place, refusal)),
        Submitted::Repeated(execution) => Ok(execution),
        Submitted::KeyReused => Err(SubmitError::KeyReused),
    }
}

/// Requested, or, with a place in hand, already claimed and started.
fn initial_state(holder: Option<Holder>, now: Timestamp) -> Result<State, IllegalTransition> {
    let requested = State::requested(now);
    let Some(holder) = holder else { return Ok(requested) };
    let claimed = transition::apply(&requested, Event::Claimed(holder), now)?.state;
    Ok(transition::apply(&claimed, Event::Started, now)?.state)
}

/// What follows the commit: the run starts, or it is refused, or the queue is told.
fn go_on(
    shared: &Arc<Shared>,
    execution: Execution,
    runnable: RunnableAction,
    place: Option<Place>,
    refusal: Option<Outcome>,
) -> Execution {
    let created = Arc::new(execution);
    // If the lease had ended it was queued, like one for which there is no place.
    let place = place.filter(|_| created.state.status == ExecutionStatus::Running);
    if let Some(place) = place {
        shared.announce(&created, None, &STARTED_STEPS);
        attempt::spawn(shared, Execution::clone(&created), Some(runnable), place);
    } else {
        shared.announce(&created, None, &STARTED_STEPS[..1]);
        match refusal {
            Some(refusal) => refuse(shared, Execution::clone(&created), refusal),
            None => shared.queue_grew(),
        }
    }
    Arc::unwrap_or_clone(created)
}

/// Ends an execution that cannot be run, without a runner and without a start.
fn refuse(shared: &Arc<Shared>, execution: Execution, refusal: Outcome) {
    let event = Event::Ended(refusal);
    let shared = shared.clone();
    let tracker = shared.attempts.clone();
    tracker.spawn(async move {
        if let Err(error) = commit::step_for_sure(&shared, &execution, event, Vec::new()).await {
            // The dispatcher or a cancel was first: both end it as well.
            tracing::debug!(execution = %execution.id, %error, "already taken");
        }
    });
}
