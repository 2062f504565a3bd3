//! Claims: each execution goes to one worker, oldest first.

use std::collections::HashSet;
use std::sync::Arc;

use attune_domain::execution::transition::{Event, apply};
use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::id::WorkerId;

use crate::support::{Database, EMBEDDED, at, demo_action, own, submit};

fn ids(executions: &[Execution]) -> Vec<i64> {
    executions.iter().map(|execution| execution.id.0).collect()
}

pub(crate) async fn a_claim_is_the_transition(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let made = submit(&*store, &action, 0).await;
    let claimed = store.claim(WorkerId(7), 10, at(4)).await.unwrap();
    let state = apply(&made.state, Event::Claimed(WorkerId(7)), at(4)).unwrap().state;
    assert_eq!(claimed, [Execution { state, ..made.clone() }]);
    assert_eq!(store.execution(own(), made.id).await.unwrap().as_ref(), claimed.first());
    assert!(store.claim(WorkerId(7), 10, at(4)).await.unwrap().is_empty());
}

pub(crate) async fn the_oldest_are_claimed_first(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let mut made = Vec::new();
    for second in 0..5 {
        made.push(submit(&*store, &action, second).await.id.0);
    }
    assert_eq!(ids(&store.claim(WorkerId(1), 2, at(9)).await.unwrap()), made[..2]);
    assert_eq!(ids(&store.claim(WorkerId(1), 9, at(9)).await.unwrap()), made[2..]);
}

pub(crate) async fn nothing_is_claimed_twice(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    for second in 0..40 {
        submit(&*store, &action, second).await;
    }
    let claimers: Vec<_> = (1..=4)
        .map(|worker| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                loop {
                    let more = store.claim(WorkerId(worker), 3, at(99)).await.unwrap();
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

pub(crate) async fn a_worker_finds_what_it_holds(database: &mut dyn Database) {
    let store = database.store();
    let worker = store.register_worker("here", at(0)).await.unwrap();
    assert_eq!(store.register_worker("here", at(1)).await.unwrap(), worker);
    assert_ne!(store.register_worker("there", at(1)).await.unwrap(), worker);

    let action = demo_action(&*store, EMBEDDED).await;
    for second in 0..3 {
        submit(&*store, &action, second).await;
    }
    let claimed = store.claim(worker, 2, at(4)).await.unwrap();
    let held = store.held_by(worker).await.unwrap();
    assert_eq!(held, claimed);

    let cancelled = apply(&held[0].state, Event::CancelRequested, at(5)).unwrap().state;
    assert_eq!(cancelled.status, ExecutionStatus::Cancelled);
    store.write_state(own(), held[0].id, &cancelled, Vec::new()).await.unwrap();
    assert_eq!(ids(&store.held_by(worker).await.unwrap()), [held[1].id.0]);
}
