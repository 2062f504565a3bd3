//! One attempt at an execution: from the claim, through the run, to the committed end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use attune_domain::access::Scope;
use attune_domain::action::{OnLost, RunnableAction};
use attune_domain::execution::outcome::{self, Captured, Outcome};
use attune_domain::execution::transition::{Event, MAX_STARTS};
use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::native::NativeJob;
use attune_domain::runner::{Lost, Place, RunEnd, RunReport, StopSignal};
use attune_domain::store::{LogChunk, StoreError};
use futures::FutureExt;
use tracing::Instrument;

use crate::commit::{self, StepError};
use crate::output_log::{OutputLog, Sink};
use crate::prepare::{Ready, Work};
use crate::shared::Shared;
use crate::{history, measure, prepare};

/// Sees an execution through that is scheduled or running for this worker. `runnable`
/// is read from the store when it is not at hand.
pub(crate) fn spawn(
    shared: &Arc<Shared>,
    execution: Execution,
    runnable: Option<RunnableAction>,
    place: Place,
) {
    let shared = shared.clone();
    let span = tracing::info_span!("execution", execution = %execution.id);
    let tracker = shared.attempts.clone();
    // Noted before the task runs, so that a cancel that comes at once finds it.
    shared.live.runs(execution.tenant, execution.id, execution.state.lease);
    shared.attendance.attend(execution.id);
    tracker.spawn(
        async move {
            let attempt = see_through(&shared, execution.clone(), runnable, place);
            let ended = match AssertUnwindSafe(attempt).catch_unwind().await {
                Ok(ended) => ended,
                Err(_) => end_after_panic(&shared, &execution).await,
            };
            let failed = match ended {
                Ok(()) => false,
                Err(StepError::LeaseLost) => {
                    tracing::info!("an execution was taken over, what is known of it here is moot");
                    false
                }
                Err(error) => {
                    tracing::error!(%error, "an execution could not be ended");
                    true
                }
            };
            shared.attendance.leave(execution.id, failed);
        }
        .instrument(span),
    );
}

async fn see_through(
    shared: &Shared,
    execution: Execution,
    runnable: Option<RunnableAction>,
    place: Place,
) -> Result<(), StepError> {
    let (id, lease) = (execution.id, execution.state.lease);
    let over = until_over(shared, execution, runnable, place).await;
    // Before the commit: what goes back to the queue may soon run here again.
    shared.live.runs_no_more(id, lease);
    match over? {
        Some(over) => end(shared, &over.execution, over.event, over.log).await,
        None => Ok(()),
    }
}

/// A run that is over, and what that means for its execution.
struct Over {
    execution: Execution,
    event: Event,
    log: Vec<LogChunk>,
}

/// The run, or None when it was cancelled before it was started: that was its end.
async fn until_over(
    shared: &Shared,
    execution: Execution,
    runnable: Option<RunnableAction>,
    place: Place,
) -> Result<Option<Over>, StepError> {
    let prepared = match prepared(shared, &execution, runnable).await? {
        Ok(prepared) => prepared,
        Err(refusal) => {
            let event = Event::Ended(refusal);
            return Ok(Some(Over { execution, event, log: Vec::new() }));
        }
    };
    let execution = match started(shared, execution).await {
        Ok(execution) => execution,
        Err(StepError::Illegal(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    // A request that was created started may have waited for its answer for longer than its lease.
    if shared.holder().map(|holder| holder.lease) != execution.state.lease {
        return Err(StepError::LeaseLost);
    }
    let redaction = prepared.ready.redaction.as_ref();
    let output = OutputLog::new(shared, &execution, redaction);
    let mut report = run(shared, &execution, prepared.ready.work.clone(), place, &output).await;
    if let Some(redaction) = redaction {
        report.end.redact(redaction);
    }
    tracing::debug!(end = ?report.end, usage = ?report.usage, "run over");
    let stderr_path = format!("/api/v1/executions/{}/logs/stderr/stream", execution.id);
    let (captured, log) = output.finish(stderr_path, &report).await?;
    let event = after(shared, &execution, &prepared, &report, &captured);
    Ok(Some(Over { execution, event, log }))
}

/// An action made ready to run, with what its end has to know.
struct Prepared {
    ready: Ready,
    runnable: RunnableAction,
}

/// What is to be run of an execution, or how the execution ends without that.
async fn prepared(
    shared: &Shared,
    execution: &Execution,
    runnable: Option<RunnableAction>,
) -> Result<Result<Prepared, Outcome>, StoreError> {
    let runnable = if runnable.is_some() { runnable } else { stored(shared, execution).await? };
    let Some(runnable) = runnable else {
        return Ok(Err(outcome::of_setup_problem("the action no longer exists")));
    };
    Ok(match prepare::ready(shared, execution, &runnable).await {
        Ok(ready) => Ok(Prepared { ready, runnable }),
        Err(refusal) => Err(refusal),
    })
}

async fn stored(
    shared: &Shared,
    execution: &Execution,
) -> Result<Option<RunnableAction>, StoreError> {
    let scope = Scope::of_execution(execution);
    let reference = &execution.action_ref;
    commit::for_sure(shared, || shared.store.runnable_action(scope, reference)).await
}

/// Commits the start, unless the execution was created started.
async fn started(shared: &Shared, execution: Execution) -> Result<Execution, StepError> {
    if execution.state.status != ExecutionStatus::Scheduled {
        return Ok(execution);
    }
    let started = commit::step_for_sure(shared, &execution, Event::Started, Vec::new()).await?;
    Ok(Execution::clone(&started))
}

async fn run(
    shared: &Shared,
    execution: &Execution,
    work: Work,
    place: Place,
    output: &OutputLog<'_>,
) -> RunReport {
    let stop = shared.live.runs(execution.tenant, execution.id, execution.state.lease);
    let stop = Box::pin(async move { stop.cancelled().await });
    let mut sink = output.sink();
    history::handed_over(execution);
    let began = Instant::now();
    let run = async {
        match work {
            Work::Sandboxed(job) => shared.runner.run(place, job, &mut sink, stop).await,
            Work::Native(job) => natively(shared, place, job, &mut sink, stop).await,
        }
    };
    let report = tokio::select! {
        report = run => report,
        never = output.flush_as_it_comes() => match never {},
    };
    measure::run(&report.end, began.elapsed());
    report
}

/// A native run has a place as any other run.
async fn natively(
    shared: &Shared,
    _place: Place,
    job: NativeJob,
    sink: &mut Sink<'_>,
    stop: StopSignal,
) -> RunReport {
    match &shared.native {
        Ok(native) => native.run(job, sink, stop).await,
        Err(missing) => {
            RunReport::not_set_up(format!("this server runs nothing natively: {missing}"))
        }
    }
}

/// What the end of a run means for the execution.
fn after(
    shared: &Shared,
    execution: &Execution,
    prepared: &Prepared,
    report: &RunReport,
    captured: &Captured,
) -> Event {
    let spec = &prepared.runnable.action.run;
    match report.end {
        RunEnd::Lost(Lost::BeforeStart) => Event::Released,
        RunEnd::Lost(Lost::MaybeStarted) if spec.on_lost == OnLost::Rerun => {
            if execution.state.starts < MAX_STARTS {
                Event::Requeued
            } else {
                Event::Ended(outcome::of_runner_lost_again(execution.state.starts))
            }
        }
        _ => Event::Ended(outcome::of_run(
            report,
            captured,
            spec.output_format,
            prepared.ready.work.limits(),
            shared.as_worker(execution),
            prepared.ready.work.ran_in(shared),
        )),
    }
}

/// Commits what the attempt came to. A run that goes back to the queue while somebody
/// cancels it is cancelled.
async fn end(
    shared: &Shared,
    execution: &Execution,
    event: Event,
    log: Vec<LogChunk>,
) -> Result<(), StepError> {
    let goes_back = matches!(event, Event::Released | Event::Requeued);
    match commit::step_for_sure(shared, execution, event, log).await {
        Ok(_) => Ok(()),
        Err(StepError::Illegal(illegal)) if illegal.status.is_terminal() => Ok(()),
        Err(StepError::Illegal(_)) if goes_back => {
            let cancelled = Event::Ended(outcome::of_setup_problem("cancelled before it ran"));
            commit::step_for_sure(shared, execution, cancelled, Vec::new()).await.map(|_| ())
        }
        Err(error) => Err(error),
    }
}

async fn end_after_panic(shared: &Shared, execution: &Execution) -> Result<(), StepError> {
    tracing::error!("the server's own code panicked while it ran an execution");
    shared.live.runs_no_more(execution.id, execution.state.lease);
    let event = Event::Ended(outcome::of_setup_problem("a fault of the server; see its log"));
    end(shared, execution, event, Vec::new()).await
}
