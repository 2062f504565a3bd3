//! Who gets the thread: a run that has just begun goes before those that have had their share.
//!
//! Guests give the thread back at every tick of the epoch. Without an order, a short run
//! beside busy ones would wait for all of them at each of its steps. So an older run passes
//! its turn while a younger one is there, though it is never passed over for long.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// For so long after its begin a run goes first.
const SHARE: Duration = Duration::from_millis(30);
/// A run that is passed over gets a turn at least so often.
const PATIENCE: Duration = Duration::from_millis(20);

/// The order of the runs of one runner.
#[derive(Default)]
pub(super) struct Turns {
    /// When each run began; they are numbered in that order.
    begun: RefCell<BTreeMap<u64, Instant>>,
    next: Cell<u64>,
    passed_over: RefCell<Vec<Waker>>,
}

/// The place of one run in the order, until it is dropped.
pub(super) struct Turn {
    turns: Rc<Turns>,
    number: u64,
    begun: Instant,
}

impl Turns {
    pub(super) fn begin(self: &Rc<Self>) -> Turn {
        let (number, begun) = (self.next.get(), Instant::now());
        self.next.set(number + 1);
        self.begun.borrow_mut().insert(number, begun);
        Turn { turns: self.clone(), number, begun }
    }

    /// Until when somebody goes first.
    fn reserved_until(&self) -> Option<Instant> {
        self.begun.borrow().last_key_value().map(|(_, begun)| *begun + SHARE)
    }
}

impl Turn {
    /// Drives a guest whenever it is its turn.
    pub(super) async fn drive<F: Future>(&self, guest: F) -> F::Output {
        let mut guest = pin!(guest);
        let mut pause = pin!(sleep_until(self.begun));
        let mut last_turn = self.begun;
        poll_fn(|context| {
            if let Some(until) = self.passes_until(last_turn) {
                pause.as_mut().reset(until);
                if pause.as_mut().poll(context).is_pending() {
                    self.turns.passed_over.borrow_mut().push(context.waker().clone());
                    return Poll::Pending;
                }
            }
            last_turn = Instant::now();
            guest.as_mut().poll(context)
        })
        .await
    }

    fn passes_until(&self, last_turn: Instant) -> Option<Instant> {
        let reserved_until = self.turns.reserved_until()?;
        passes_until(self.begun, last_turn, reserved_until, Instant::now())
    }
}

/// Until when a run has to wait, if it has to.
fn passes_until(
    begun: Instant,
    last_turn: Instant,
    reserved_until: Instant,
    now: Instant,
) -> Option<Instant> {
    let goes_first = now < begun + SHARE;
    let until = reserved_until.min(last_turn + PATIENCE);
    (!goes_first && until > now).then_some(until)
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.begun.borrow_mut().remove(&self.number);
        for waker in self.turns.passed_over.borrow_mut().drain(..) {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a run has to wait: it began, and had its last turn, so long ago, and the
    /// youngest run of all began so long ago.
    #[track_caller]
    fn check(begun: u64, last_turn: u64, youngest: u64, expected: Option<u64>) {
        let start = Instant::now();
        let now = start + Duration::from_secs(10);
        let ago = |millis| now - Duration::from_millis(millis);
        let until = passes_until(ago(begun), ago(last_turn), ago(youngest) + SHARE, now);
        let wait = until.map(|until| until - now);
        assert_eq!(wait, expected.map(Duration::from_millis));
    }

    #[test]
    fn a_run_that_has_just_begun_does_not_wait() {
        check(0, 0, 0, None);
        check(29, 5, 1, None);
    }

    #[test]
    fn an_older_run_waits_for_a_younger_one() {
        check(1000, 0, 0, Some(20));
        check(1000, 0, 25, Some(5));
        check(1000, 15, 0, Some(5));
    }

    #[test]
    fn nobody_is_passed_over_for_long() {
        check(1000, 20, 0, None);
        check(1000, 500, 0, None);
    }

    #[test]
    fn runs_of_one_age_take_turns() {
        check(1000, 0, 1000, None);
        check(1000, 0, 30, None);
    }

    #[test]
    fn the_youngest_is_the_last_that_began_and_is_there() {
        let turns = Rc::new(Turns::default());
        let first = turns.begin();
        let second = turns.begin();
        assert_eq!(turns.reserved_until(), Some(second.begun + SHARE));
        drop(second);
        assert_eq!(turns.reserved_until(), Some(first.begun + SHARE));
        drop(first);
        assert_eq!(turns.reserved_until(), None);
    }
}
