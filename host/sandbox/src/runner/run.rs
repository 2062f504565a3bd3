//! One run, from an instance to its report.

use std::rc::Rc;

use attune_domain::limits::Limits;
use attune_domain::runner::{LimitHit, Usage};
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmtime::{Error, Trap};
use wasmtime_wasi::I32Exit;

use super::compiled::Compiled;
use super::exchanges::Exchanges;
use super::instance::{Call, Functions, Instance};
use super::outbox::Outbox;
use super::output::{Output, OverLimit, Totals};
use super::turns::Turn;
use crate::protocol::{End, FromRunner, MAX_RESPONSE, Report, Run};

/// Room in a response for what is not the value that a function returned.
const ENVELOPE: usize = 64;

/// What happens to the guest, before anything is said about limits.
enum Happened {
    Answered(String),
    Failed(Error),
    Deadline,
    Stopped,
}

/// What one run is connected to.
pub(super) struct Connection {
    pub(super) stdin: Bytes,
    pub(super) output: Output,
    pub(super) exchanges: Exchanges,
    pub(super) stop: CancellationToken,
    pub(super) outbox: Outbox,
    pub(super) compiled: Rc<Compiled>,
}

/// Runs the guest to its end; gives its response too, if there is one. The error is that the
/// server is gone.
pub(super) async fn run(
    instance: &mut Instance,
    functions: Functions,
    run: Run,
    connection: Connection,
    turn: Turn,
) -> std::io::Result<(Report, String)> {
    let Connection { stdin, output, exchanges, stop, outbox, compiled } = connection;
    instance.store.data().stdio.connect(stdin, output.clone());
    instance.store.data_mut().network.connect(exchanges);
    // The server must know before the guest can take this process down.
    let primed = instance.is_primed();
    outbox.send(&FromRunner::Started { run: run.id, primed }, &[]).await?;
    let started = Instant::now();
    let entry = (run.runtime, run.pack_folder, run.entry);
    let call = Call { entry, request: run.request, compiled: &compiled };
    let guest = turn.drive(functions.call(&mut instance.store, call));
    let happened = tokio::select! {
        biased;
        () = stop.cancelled() => Happened::Stopped,
        () = tokio::time::sleep(run.limits.wall()) => Happened::Deadline,
        answer = guest => match answer {
            Ok(response) => Happened::Answered(response),
            Err(error) => Happened::Failed(error),
        },
        // Polled whenever the guest has given the thread back.
        never = output.send_when_asked() => match never {},
    };
    let wall = started.elapsed();
    let totals = output.finish().await;
    let usage = usage(instance, &run.limits, wall, totals);
    let (end, response) = end(happened, instance.store.data().meter.was_denied(), &run.limits);
    let Totals { stdout_dropped, stderr_dropped, .. } = totals;
    Ok((Report { end, usage, stdout_dropped, stderr_dropped }, response))
}

fn usage(instance: &Instance, limits: &Limits, wall: std::time::Duration, totals: Totals) -> Usage {
    Usage {
        fuel: limits.fuel.saturating_sub(instance.store.get_fuel().unwrap_or(0)),
        peak_memory_bytes: instance.store.data().meter.peak(),
        wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        output_bytes: totals.written,
    }
}

/// The report of a run that never began.
pub(super) fn not_set_up(problem: &Error) -> Report {
    Report {
        end: End::NotSetUp(format!("{problem:#}")),
        usage: Usage::default(),
        stdout_dropped: 0,
        stderr_dropped: 0,
    }
}

fn end(happened: Happened, memory_denied: bool, limits: &Limits) -> (End, String) {
    let end = match happened {
        Happened::Stopped => End::Stopped,
        Happened::Deadline => End::Limit(LimitHit::Deadline),
        Happened::Answered(response) => return answered(response, memory_denied, limits),
        Happened::Failed(error) => failed(&error, memory_denied),
    };
    (end, String::new())
}

fn answered(response: String, memory_denied: bool, limits: &Limits) -> (End, String) {
    let limit = usize::try_from(limits.stream_bytes).unwrap_or(usize::MAX);
    if response.len() > limit.saturating_add(ENVELOPE).min(MAX_RESPONSE) {
        return (End::Limit(LimitHit::Output), String::new());
    }
    // A guest that lives with the refusal has not hit the limit.
    if memory_denied && response.starts_with(r#"{"exit_code""#) && !is_success(&response) {
        return (End::Limit(LimitHit::Memory), String::new());
    }
    (End::Answered, response)
}

fn is_success(response: &str) -> bool {
    matches!(crate::envelope::end(response.as_bytes()), attune_domain::runner::RunEnd::Exited(0))
}

fn failed(error: &Error, memory_denied: bool) -> End {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return match (code, memory_denied) {
            (1.., true) => End::Limit(LimitHit::Memory),
            _ => End::Exited(*code),
        };
    }
    if error.is::<OverLimit>() {
        return End::Limit(LimitHit::Output);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => End::Limit(LimitHit::Fuel),
        _ if memory_denied => End::Limit(LimitHit::Memory),
        Some(trap) => End::Trapped(for_author(*trap)),
        None => End::Trapped(error.root_cause().to_string()),
    }
}

/// A trap in the words of someone who wrote a script.
fn for_author(trap: Trap) -> String {
    match trap {
        Trap::StackOverflow => "the call stack is exhausted (recursion too deep)".to_owned(),
        Trap::UnreachableCodeReached => {
            "the interpreter was aborted (os.abort, os._exit, or a fatal error in it)".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(happened: Happened, memory_denied: bool) -> End {
        end(happened, memory_denied, &Limits { stream_bytes: 100, ..Limits::default() }).0
    }

    fn answer(text: &str) -> Happened {
        Happened::Answered(text.to_owned())
    }

    #[test]
    fn limits_are_told_from_traps() {
        assert_eq!(
            end_of(Happened::Failed(Trap::OutOfFuel.into()), false),
            End::Limit(LimitHit::Fuel)
        );
        assert_eq!(end_of(Happened::Failed(OverLimit.into()), false), End::Limit(LimitHit::Output));
        let unreachable = Happened::Failed(Trap::UnreachableCodeReached.into());
        assert!(matches!(end_of(unreachable, false), End::Trapped(text) if text.contains("_exit")));
        let unreachable = Happened::Failed(Trap::UnreachableCodeReached.into());
        assert_eq!(end_of(unreachable, true), End::Limit(LimitHit::Memory));
        assert_eq!(end_of(Happened::Failed(I32Exit(4).into()), false), End::Exited(4));
    }

    #[test]
    fn a_refusal_that_the_guest_survives_is_no_limit() {
        assert_eq!(end_of(answer(r#"{"exit_code": 0}"#), true), End::Answered);
        assert_eq!(end_of(answer(r#"{"exit_code": 1}"#), true), End::Limit(LimitHit::Memory));
        assert_eq!(end_of(answer(r#"{"result": 1}"#), true), End::Answered);
    }

    #[test]
    fn a_result_counts_as_output() {
        let long = format!(r#"{{"result": "{}"}}"#, "x".repeat(200));
        assert_eq!(end_of(answer(&long), false), End::Limit(LimitHit::Output));
    }
}
