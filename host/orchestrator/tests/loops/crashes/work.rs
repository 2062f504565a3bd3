//! The work during which a process is killed, and how each kind of it may end.

use attune_domain::action::OnLost;
use attune_domain::execution::{Execution, ExecutionStatus as S};
use attune_domain::id::ExecutionId;
use attune_domain::runner::Lost;
use serde_json::json;

use super::diary::{Diary, Fact, Notes};
use crate::scripted_runner::Script;
use crate::world::World;

/// What a run writes that comes to its own end.
pub(crate) const WORDS: &str = "words";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// One that finds a place, and one that waits for it.
    Plain,
    CancelledWhileQueued,
    CancelledWhileRunning,
    TimesOut,
    BadParameters,
    /// The runner dies before the guest is entered.
    NotStarted,
    /// The runner dies with the guest in it.
    Lost,
    LostWithRerun,
}

impl Work {
    pub(crate) fn on_lost(self) -> OnLost {
        if self == Work::LostWithRerun { OnLost::Rerun } else { OnLost::Abandon }
    }

    /// Does it all, to the end, on a server with one place.
    pub(crate) async fn go_through(self, world: &mut World, diary: &Diary) {
        let words = || Script::Exit { stdout: WORDS, code: 0 };
        let scripts = match self {
            Work::Plain => vec![words(), words()],
            Work::BadParameters => vec![],
            Work::CancelledWhileQueued => vec![Script::UntilStopped { stdout: "" }],
            Work::CancelledWhileRunning => vec![Script::UntilStopped { stdout: WORDS }],
            Work::TimesOut => vec![Script::TimesOut],
            Work::NotStarted => vec![Script::Lost(Lost::BeforeStart), words()],
            Work::Lost => vec![Script::Lost(Lost::MaybeStarted)],
            Work::LostWithRerun => vec![Script::Lost(Lost::MaybeStarted), words()],
        };
        for script in scripts {
            world.runner.next(script);
        }
        match self {
            Work::Plain => {
                let ids = [submit(world, diary, 1).await, submit(world, diary, 1).await];
                for id in ids {
                    world.end_of(id).await;
                }
            }
            Work::CancelledWhileQueued => {
                let running = submit(world, diary, 1).await;
                world.next_start().await;
                let queued = submit(world, diary, 1).await;
                cancel(world, diary, queued).await;
                cancel(world, diary, running).await;
            }
            Work::CancelledWhileRunning => {
                let id = submit(world, diary, 1).await;
                world.next_start().await;
                cancel(world, diary, id).await;
            }
            Work::BadParameters => {
                let id = submit(world, diary, "not a number").await;
                world.end_of(id).await;
            }
            _ => {
                let id = submit(world, diary, 1).await;
                world.end_of(id).await;
            }
        }
    }

    /// Asserts that an execution ended as the contract has it, wherever the process was killed.
    pub(crate) fn check(self, execution: &Execution, notes: &Notes) {
        let (id, state) = (execution.id, &execution.state);
        let entered = notes.count(Fact::Entered, id);
        let what = format!("{self:?}: {execution:?}, entered {entered} times");
        assert!(state.status.is_terminal(), "{what}");
        assert!(entered <= state.starts as usize, "{what}");
        assert!(entered <= 1 || self == Work::LostWithRerun, "{what}");
        let allowed: &[S] = match self {
            Work::LostWithRerun => &[S::Completed],
            Work::BadParameters => &[S::Failed],
            _ if notes.count(Fact::CancelAccepted, id) > 0 => &[S::Cancelled],
            Work::CancelledWhileQueued | Work::CancelledWhileRunning => {
                &[S::Completed, S::Abandoned, S::Cancelled]
            }
            Work::TimesOut => &[S::Completed, S::Abandoned, S::Failed],
            Work::Plain | Work::NotStarted | Work::Lost => &[S::Completed, S::Abandoned],
        };
        assert!(allowed.contains(&state.status), "{what}");
        let result = state.result.as_ref().unwrap();
        match state.status {
            S::Completed => assert_eq!((entered > 0, &result["stdout"]), (true, &json!(WORDS))),
            S::Failed if self == Work::BadParameters => assert_eq!(entered, 0, "{what}"),
            S::Failed => assert_eq!(result["failure_reason"], "deadline"),
            _ => {}
        }
    }
}

async fn submit(world: &World, diary: &Diary, n: impl Into<serde_json::Value>) -> ExecutionId {
    let request = world.request(&json!({"n": n.into()}));
    let accepted = world.orchestrator.submit(&world.principal, request).await.unwrap();
    diary.note(Fact::Accepted, accepted.id);
    accepted.id
}

async fn cancel(world: &World, diary: &Diary, id: ExecutionId) {
    world.orchestrator.cancel(world.scope(), id).await.unwrap();
    diary.note(Fact::CancelAccepted, id);
    world.end_of(id).await;
}
