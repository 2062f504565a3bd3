//! Who in this process sees an execution through, from before the commit that gives it to this
//! server until its end is committed. What is held here and is attended by nobody was taken by the
//! database, which then could not say so.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use attune_domain::id::ExecutionId;

#[derive(Default)]
pub(crate) struct Attendance(Mutex<State>);

#[derive(Default)]
struct State {
    attempts: HashMap<ExecutionId, Attempts>,
    /// Of the takings that are under way, the numbers.
    takings: BTreeSet<u64>,
    next_taking: u64,
}

#[derive(Default)]
struct Attempts {
    going: usize,
    /// One could not commit what it came to.
    failed: bool,
}

/// Work is being taken, by a request or a claim, whose commit may have been made already.
pub(crate) struct Taking<'a> {
    attendance: &'a Attendance,
    number: u64,
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.attendance.state().takings.remove(&self.number);
    }
}

impl Attendance {
    /// Held from before work is asked of the database until somebody attends to what it gave.
    pub(crate) fn taking(&self) -> Taking<'_> {
        let mut state = self.state();
        let number = state.next_taking;
        state.next_taking += 1;
        state.takings.insert(number);
        Taking { attendance: self, number }
    }

    /// How many takings have begun until now.
    pub(crate) fn takings(&self) -> u64 {
        self.state().next_taking
    }

    /// Whether the first `count` takings are over.
    pub(crate) fn are_over(&self, count: u64) -> bool {
        self.state().takings.first().is_none_or(|first| *first >= count)
    }

    /// Notes that somebody sees `id` through from now on.
    pub(crate) fn attend(&self, id: ExecutionId) {
        self.state().attempts.entry(id).or_default().going += 1;
    }

    /// Whoever saw `id` through does so no more; `failed` if what it came to is not committed.
    pub(crate) fn leave(&self, id: ExecutionId, failed: bool) {
        let mut state = self.state();
        if let Some(attempts) = state.attempts.get_mut(&id) {
            attempts.going = attempts.going.saturating_sub(1);
            attempts.failed |= failed;
            if attempts.going == 0 && !attempts.failed {
                state.attempts.remove(&id);
            }
        }
    }

    /// Whether somebody sees `id` through.
    pub(crate) fn is_attended(&self, id: ExecutionId) -> bool {
        self.state().attempts.get(&id).is_some_and(|attempts| attempts.going > 0)
    }

    /// Whether somebody could not see `id` through to its committed end.
    pub(crate) fn has_failed(&self, id: ExecutionId) -> bool {
        self.state().attempts.get(&id).is_some_and(|attempts| attempts.failed)
    }

    /// Forgets failures of executions that are held here no more.
    pub(crate) fn forget_failed_but(&self, held: &BTreeSet<ExecutionId>) {
        let mut state = self.state();
        state.attempts.retain(|id, attempts| attempts.going > 0 || held.contains(id));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the state is whole at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ExecutionId = ExecutionId(7);

    #[test]
    fn takings_before_a_moment_are_waited_for_and_later_ones_are_not() {
        let attendance = Attendance::default();
        let (first, second) = (attendance.taking(), attendance.taking());
        let seen = attendance.takings();
        let later = attendance.taking();
        drop(first);
        assert!(!attendance.are_over(seen));
        drop(second);
        assert!(attendance.are_over(seen));
        drop(later);
        assert!(attendance.are_over(attendance.takings()));
    }

    #[test]
    fn a_failure_is_remembered_for_as_long_as_the_execution_is_held() {
        let attendance = Attendance::default();
        attendance.attend(ID);
        assert!(attendance.is_attended(ID) && !attendance.has_failed(ID));
        attendance.leave(ID, true);
        attendance.forget_failed_but(&BTreeSet::from([ID]));
        assert!(!attendance.is_attended(ID) && attendance.has_failed(ID));
        attendance.forget_failed_but(&BTreeSet::new());
        assert!(!attendance.has_failed(ID));
    }

    #[test]
    fn what_was_seen_through_leaves_nothing_behind() {
        let attendance = Attendance::default();
        attendance.attend(ID);
        attendance.attend(ID);
        attendance.leave(ID, false);
        assert!(attendance.is_attended(ID));
        attendance.leave(ID, false);
        assert!(attendance.state().attempts.is_empty());
    }
}
