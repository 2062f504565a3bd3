//! Which runner gets a run: a pure decision.

use std::time::Duration;

use attune_domain::id::TenantId;

/// A bound runner, as far as the decision looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) tenant: TenantId,
    pub(super) busy: usize,
    /// It gets no more runs, so that it makes room for another tenant.
    pub(super) yielding: bool,
    pub(super) last_used: u64,
    pub(super) idle_for: Duration,
}

/// What the decision is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    pub(super) tenant: TenantId,
    pub(super) bound: &'a [Candidate],
    /// Runners of this tenant, and of all, that are just being bound.
    pub(super) binding_here: usize,
    pub(super) binding: usize,
    pub(super) spares: usize,
    pub(super) rules: Rules,
}

/// The numbers of the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) per_tenant: usize,
    pub(super) in_total: usize,
    pub(super) places: usize,
    pub(super) idle_retire: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Give it to this one.
    Use(usize),
    /// Bind a spare runner.
    Bind,
    /// End this one, which makes room.
    Retire(usize),
    /// Give this one no more runs, and ask again when something has changed.
    Yield(usize),
    /// Ask again when something has changed.
    Wait,
}

/// After a run a runner cleans up and primes the next instance for about so long. A tenant
/// whose runs follow each other more closely is busy, and gets another runner.
const RECOVERY: Duration = Duration::from_millis(10);

/// A rested runner of the tenant is best; then one more, while it may have more;
/// then the one with the fewest runs. Another tenant's runner only goes when it is idle; one
/// that never is has to make room for a tenant that has none.
pub(super) fn decide(situation: Situation<'_>) -> Decision {
    let Situation { tenant, bound, binding_here, binding, spares, rules } = situation;
    let ours = || {
        bound.iter().enumerate().filter(|(_, runner)| runner.tenant == tenant && !runner.yielding)
    };
    // The longest unused of several: the others may still be priming after a run.
    let least_busy = ours().min_by_key(|(_, runner)| (runner.busy, runner.last_used));
    let usable = least_busy.filter(|(_, runner)| runner.busy < rules.places);
    if let Some((index, runner)) = usable
        && runner.busy == 0
        && runner.idle_for >= RECOVERY
    {
        return Decision::Use(index);
    }
    if ours().count() + binding_here < rules.per_tenant {
        if bound.len() + binding < rules.in_total {
            if spares > 0 {
                return Decision::Bind;
            }
        } else if let Some(index) = retirable(&situation, usable.is_none()) {
            return Decision::Retire(index);
        }
    }
    match usable {
        Some((index, _)) => Decision::Use(index),
        None if ours().count() + binding_here == 0 => make_room(&situation),
        None => Decision::Wait,
    }
}

/// One runner at a time yields: of the tenant that has the most, the one with the fewest runs.
fn make_room(situation: &Situation<'_>) -> Decision {
    let bound = situation.bound;
    let is_full = bound.len() + situation.binding >= situation.rules.in_total;
    if !is_full || bound.iter().any(|runner| runner.yielding) {
        return Decision::Wait;
    }
    let of_tenant = |tenant| bound.iter().filter(|runner| runner.tenant == tenant).count();
    let chosen = bound
        .iter()
        .enumerate()
        .min_by_key(|(_, runner)| (std::cmp::Reverse(of_tenant(runner.tenant)), runner.busy));
    chosen.map_or(Decision::Wait, |(index, _)| Decision::Yield(index))
}

/// The runner of another tenant, or one that yields, that has been idle for longest; at once if
/// ours has none at all.
fn retirable(situation: &Situation<'_>, at_once: bool) -> Option<usize> {
    let patience = if at_once { Duration::ZERO } else { situation.rules.idle_retire };
    let others = situation.bound.iter().enumerate().filter(|(_, runner)| {
        (runner.tenant != situation.tenant || runner.yielding)
            && runner.busy == 0
            && runner.idle_for >= patience
    });
    others.max_by_key(|(_, runner)| runner.idle_for).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { per_tenant: 2, in_total: 3, places: 4, idle_retire: Duration::from_mins(1) };

    fn runner(tenant: i64, busy: usize, last_used: u64) -> Candidate {
        let idle_for = Duration::from_secs(if busy == 0 { 10 } else { 0 });
        Candidate { tenant: TenantId(tenant), busy, yielding: false, last_used, idle_for }
    }

    fn check(bound: &[Candidate], binding: usize, spares: usize, expected: Decision) {
        let tenant = TenantId(1);
        let situation =
            Situation { tenant, bound, binding_here: binding, binding, spares, rules: RULES };
        assert_eq!(decide(situation), expected, "{bound:?}");
    }

    #[test]
    fn an_idle_runner_of_the_tenant_is_used_the_longest_unused_first() {
        check(&[runner(2, 0, 0), runner(1, 0, 9), runner(1, 0, 5)], 0, 1, Decision::Use(2));
    }

    #[test]
    fn a_busy_tenant_gets_another_runner() {
        check(&[runner(1, 1, 0)], 0, 1, Decision::Bind);
        check(&[], 0, 1, Decision::Bind);
        check(&[runner(1, 1, 0)], 1, 1, Decision::Use(0));
        check(&[runner(1, 3, 0), runner(1, 2, 1)], 0, 1, Decision::Use(1));
    }

    #[test]
    fn runs_that_follow_each_other_closely_make_a_tenant_busy() {
        let restless = Candidate { idle_for: Duration::from_millis(1), ..runner(1, 0, 0) };
        check(&[restless], 0, 1, Decision::Bind);
        check(&[restless], 0, 0, Decision::Use(0));
        check(&[restless, Candidate { last_used: 1, ..restless }], 0, 1, Decision::Use(0));
    }

    #[test]
    fn without_a_spare_the_run_shares_or_waits() {
        check(&[runner(1, 1, 0)], 0, 0, Decision::Use(0));
        check(&[], 0, 0, Decision::Wait);
        check(&[runner(1, 4, 0), runner(1, 4, 0)], 0, 1, Decision::Wait);
    }

    #[test]
    fn idle_runners_make_room_for_a_tenant_that_has_none() {
        check(&[runner(2, 1, 0), runner(3, 0, 0), runner(2, 1, 0)], 0, 1, Decision::Retire(1));
    }

    #[test]
    fn one_that_is_never_idle_makes_room_for_a_tenant_that_has_none() {
        let mut others = [runner(3, 1, 0), runner(2, 4, 0), runner(2, 2, 0)];
        check(&others, 0, 1, Decision::Yield(2));
        others[2].yielding = true;
        check(&others, 0, 1, Decision::Wait);
        others[2].busy = 0;
        check(&others, 0, 1, Decision::Retire(2));
        // The tenant that yielded it does without, or takes its place if nobody else does.
        let mut ours = [runner(1, 1, 0), runner(2, 1, 0), runner(3, 1, 0)];
        ours[0].yielding = true;
        check(&ours, 0, 1, Decision::Wait);
        ours[0].busy = 0;
        check(&ours, 0, 1, Decision::Retire(0));
    }

    #[test]
    fn for_one_more_runner_others_must_have_been_idle_for_long() {
        let others = [runner(1, 2, 0), runner(2, 0, 0), runner(3, 0, 0)];
        check(&others, 0, 1, Decision::Use(0));
        let mut idle = others;
        idle[2].idle_for = Duration::from_secs(61);
        check(&idle, 0, 1, Decision::Retire(2));
    }
}
