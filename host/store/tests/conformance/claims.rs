//! Claims: each execution goes to one worker, oldest first.

use std::collections::HashSet;
use std::sync::Arc;

use attune_domain::execution::transition::{Event, apply};
use attune_domain::execution::{Execution, Waiting};
use attune_domain::id::TenantId;

use crate::support::{Database, EMBEDDED, OTHER, at, demo_action, lease, own, submit};

fn ids(executions: &[Execution]) -> Vec<i64> {
    executions.iter().map(|execution| execution.id.0).collect()
}

pub(crate) async fn a_claim_is_the_transition(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let holder = lease(&*store, "one").await;
    let made = submit(&*store, &action, 0).await;
    let claimed = store.claim(holder, 10, None, at(4)).await.unwrap();
    let state = apply(&made.state, Event::Claimed(holder), at(4)).unwrap().state;
    assert_eq!(claimed, [Execution { state, ..made.clone() }]);
    assert_eq!(store.execution(own(), made.id).await.unwrap().as_ref(), claimed.first());
    assert!(store.claim(holder, 10, None, at(4)).await.unwrap().is_empty());
}

pub(crate) async fn the_oldest_are_claimed_first(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let holder = lease(&*store, "one").await;
    let mut made = Vec::new();
    for second in 0..5 {
        made.push(submit(&*store, &action, second).await.id.0);
    }
    assert_eq!(ids(&store.claim(holder, 2, None, at(9)).await.unwrap()), made[..2]);
    assert_eq!(ids(&store.claim(holder, 9, None, at(9)).await.unwrap()), made[2..]);
}

pub(crate) async fn nothing_is_claimed_twice(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    for second in 0..40 {
        submit(&*store, &action, second).await;
    }
    let mut holders = Vec::new();
    for name in ["one", "two", "three", "four"] {
        holders.push(lease(&*store, name).await);
    }
    let claimers: Vec<_> = holders
        .into_iter()
        .map(|holder| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                loop {
                    let more = store.claim(holder, 3, None, at(99)).await.unwrap();
                    if more.is_empty() {
                        return claimed;
                    }
                    claimed.extend(ids(&more));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), 40);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 40);
}

pub(crate) async fn nothing_is_claimed_under_an_ended_lease(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let made = submit(&*store, &action, 0).await;
    let holder = lease(&*store, "one").await;
    store.end_lease(holder.lease, at(1)).await.unwrap();
    assert!(store.claim(holder, 9, None, at(2)).await.unwrap().is_empty());
    assert_eq!(store.execution(own(), made.id).await.unwrap(), Some(made));
}

pub(crate) async fn what_waits_is_counted_by_tenant(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    assert!(store.waiting().await.unwrap().is_empty());
    let (own, other) = (demo_action(&*store, EMBEDDED).await, demo_action(&*store, OTHER).await);
    for (second, action) in (1..).zip([&other, &own, &own, &own]) {
        submit(&*store, action, second).await;
    }
    let waiting = |tenant, depth, second| Waiting { tenant, depth, since: at(second) };
    let all = [waiting(EMBEDDED, 3, 2), waiting(OTHER, 1, 1)];
    assert_eq!(store.waiting().await.unwrap(), all);

    let holder = lease(&*store, "one").await;
    store.claim(holder, 2, None, at(9)).await.unwrap();
    assert_eq!(store.waiting().await.unwrap(), [waiting(EMBEDDED, 2, 3)]);
}

pub(crate) async fn tenants_take_turns(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    database.add_tenant(TenantId(3), "third").await;
    let store = database.store();
    let mut actions = Vec::new();
    for tenant in [EMBEDDED, OTHER, TenantId(3)] {
        actions.push(demo_action(&*store, tenant).await);
    }
    for second in 0..20 {
        submit(&*store, &actions[0], second).await;
    }
    submit(&*store, &actions[1], 20).await;
    submit(&*store, &actions[2], 21).await;
    let holder = lease(&*store, "one").await;
    let mut after = None;
    let mut turns = Vec::new();
    for limit in [1, 1, 1, 1, 2, 6] {
        let claimed = store.claim(holder, limit, after, at(30)).await.unwrap();
        assert_eq!(claimed.len(), limit as usize);
        turns.push(claimed.iter().map(|claimed| claimed.tenant.0).collect::<Vec<_>>());
        after = claimed.last().map(|claimed| claimed.tenant);
        if turns.len() == 4 {
            // While the first has much, two more of the second come in.
            submit(&*store, &actions[1], 40).await;
            submit(&*store, &actions[1], 41).await;
        }
    }
    let all_of_the_first = vec![1; 6];
    assert_eq!(turns[..4], [[1], [2], [3], [1]]);
    assert_eq!(turns[4], [2, 1]);
    assert_eq!(turns[5].iter().filter(|tenant| **tenant == 2).count(), 1, "{turns:?}");
    let claimed = store.claim(holder, 6, after, at(30)).await.unwrap();
    let tenants: Vec<_> = claimed.iter().map(|claimed| claimed.tenant.0).collect();
    assert_eq!(tenants, all_of_the_first);
}
