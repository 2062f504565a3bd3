//! How the state of an execution may change: a pure function, and the only one.
//!
//! ```text
//! requested ──Claimed──▶ scheduled ──Started──▶ running ──Ended──▶ completed, failed, abandoned
//!     ▲                      │                     │
//!     ├──────Released────────┤                CancelRequested
//!     │                      └─────────────────────┤
//!     └──────Requeued (on_lost: rerun)─────────────▼
//!                                              canceling ──Ended──▶ cancelled
//! ```
//! What has not started is cancelled, or refused for its parameters, at once.
//! A run that was promised to be cancelled ends `cancelled`, however it ended.

use super::outcome::{self, Outcome};
use super::{ExecutionStatus, State};
use crate::clock::Timestamp;
use crate::worker::Holder;

/// Starts that an action with `on_lost: rerun` gets before it has failed for good:
/// it is started again at most twice (contract, README decision 5).
pub const MAX_STARTS: u32 = 3;

/// Something that happened to an execution.
#[derive(Clone, Debug)]
pub enum Event {
    /// A worker has taken it from the queue.
    Claimed(Holder),
    /// It is being handed to a runner: from here on it may have started.
    Started,
    /// The worker gives it back; nothing of it has run.
    Released,
    /// The runner was lost, and the author allows another start.
    Requeued,
    /// Somebody wants it to stop.
    CancelRequested,
    /// It is over.
    Ended(Outcome),
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Event::Claimed(_) => "claimed",
            Event::Started => "started",
            Event::Released => "released",
            Event::Requeued => "requeued",
            Event::CancelRequested => "cancel requested",
            Event::Ended(_) => "ended",
        }
    }
}

/// What remains to be done once the new state is committed. May be done twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the run to stop.
    StopRun,
    /// Wake whoever takes work from the queue.
    WakeQueue,
}

/// The new state and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    pub state: State,
    pub effects: Vec<Effect>,
}

/// An event that makes no sense in the present state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an execution that is {} cannot be {event}", status.as_str())]
pub struct IllegalTransition {
    pub status: ExecutionStatus,
    pub event: &'static str,
}

/// `state` after `event`. Terminal states absorb nothing: every event is illegal there.
pub fn apply(state: &State, event: Event, now: Timestamp) -> Result<Transition, IllegalTransition> {
    use ExecutionStatus as S;
    let mut next = State { version: state.version + 1, updated: now, ..state.clone() };
    let mut effects = Vec::new();
    match (state.status, event) {
        (S::Requested, Event::Claimed(holder)) => {
            next.status = S::Scheduled;
            next.worker = Some(holder.worker);
            next.lease = Some(holder.lease);
        }
        (S::Scheduled, Event::Started) => {
            next.status = S::Running;
            next.started_at = Some(now);
            next.starts += 1;
        }
        (S::Scheduled, Event::Released) => back_to_queue(&mut next, &mut effects),
        (S::Running, Event::Released) => {
            next.starts -= 1;
            back_to_queue(&mut next, &mut effects);
        }
        (S::Running, Event::Requeued) if state.starts < MAX_STARTS => {
            back_to_queue(&mut next, &mut effects);
        }
        (S::Requested | S::Scheduling | S::Scheduled, Event::CancelRequested) => {
            next.status = S::Cancelled;
            next.result = Some(outcome::of_cancel_before_start().result);
        }
        (S::Running, Event::CancelRequested) => {
            next.status = S::Canceling;
            effects.push(Effect::StopRun);
        }
        (S::Canceling, Event::Ended(outcome)) => {
            next.status = S::Cancelled;
            next.result = Some(outcome.into_cancelled().result);
        }
        (S::Requested | S::Scheduled | S::Running, Event::Ended(outcome)) => {
            next.status = outcome.status;
            next.result = Some(outcome.result);
        }
        (status, event) => return Err(IllegalTransition { status, event: event.name() }),
    }
    Ok(Transition { state: next, effects })
}

fn back_to_queue(next: &mut State, effects: &mut Vec<Effect>) {
    next.status = ExecutionStatus::Requested;
    next.worker = None;
    next.lease = None;
    next.started_at = None;
    effects.push(Effect::WakeQueue);
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::id::{LeaseId, WorkerId};

    fn at(second: i64) -> Timestamp {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn after(events: &[Event]) -> Result<State, IllegalTransition> {
        let mut state = State::requested(at(0));
        for (second, event) in (1..).zip(events) {
            state = apply(&state, event.clone(), at(second))?.state;
        }
        Ok(state)
    }

    fn ended(status: ExecutionStatus) -> Event {
        Event::Ended(Outcome { status, result: json!({}) })
    }

    const HOLDER: Holder = Holder { worker: WorkerId(7), lease: LeaseId(8) };

    #[test]
    fn an_ordinary_run() {
        let state =
            after(&[Event::Claimed(HOLDER), Event::Started, ended(ExecutionStatus::Completed)]);
        let state = state.unwrap();
        assert_eq!(state.status, ExecutionStatus::Completed);
        assert_eq!((state.version, state.starts), (3, 1));
        assert_eq!((state.started_at, state.updated), (Some(at(2)), at(3)));
    }

    #[test]
    fn what_has_not_started_is_cancelled_at_once() {
        let state = after(&[Event::Claimed(HOLDER), Event::CancelRequested]).unwrap();
        assert_eq!(state.status, ExecutionStatus::Cancelled);
        assert_eq!(state.started_at, None);
        let result = state.result.unwrap();
        assert_eq!((&result["cancelled"], &result["usage"]["fuel"]), (&true.into(), &0.into()));
    }

    #[test]
    fn what_runs_is_told_to_stop() {
        let running = after(&[Event::Claimed(HOLDER), Event::Started]).unwrap();
        let transition = apply(&running, Event::CancelRequested, at(9)).unwrap();
        assert_eq!(transition.state.status, ExecutionStatus::Canceling);
        assert_eq!(transition.effects, [Effect::StopRun]);
        assert!(apply(&transition.state, Event::CancelRequested, at(9)).is_err());
    }

    #[test]
    fn a_terminal_state_absorbs_nothing() {
        for status in ExecutionStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            let state = State { status, ..State::requested(at(0)) };
            let events = [
                Event::Claimed(HOLDER),
                Event::Started,
                Event::Released,
                Event::Requeued,
                Event::CancelRequested,
                ended(ExecutionStatus::Completed),
            ];
            for event in events {
                assert!(apply(&state, event.clone(), at(1)).is_err(), "{status:?} took {event:?}");
            }
        }
    }

    #[test]
    fn a_lost_run_is_started_again_twice_at_most() {
        let start = [Event::Claimed(HOLDER), Event::Started];
        let lost = [Event::Requeued];
        let events = [&start[..], &lost, &start, &lost, &start].concat();
        let state = after(&events).unwrap();
        assert_eq!(state.starts, MAX_STARTS);
        assert!(apply(&state, Event::Requeued, at(9)).is_err());
    }

    #[test]
    fn what_never_started_goes_back_and_does_not_count_as_a_start() {
        let state = after(&[Event::Claimed(HOLDER), Event::Started, Event::Released]).unwrap();
        assert_eq!(state.status, ExecutionStatus::Requested);
        assert_eq!((state.starts, state.started_at), (0, None));
        assert_eq!((state.worker, state.lease), (None, None));
    }

    #[test]
    fn a_promised_cancel_holds_even_if_the_run_ends_by_itself() {
        let events = [
            Event::Claimed(HOLDER),
            Event::Started,
            Event::CancelRequested,
            ended(ExecutionStatus::Completed),
        ];
        let state = after(&events).unwrap();
        assert_eq!(state.status, ExecutionStatus::Cancelled);
        assert_eq!(state.result.unwrap()["cancelled"], true);
    }
}
