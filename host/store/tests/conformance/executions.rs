//! Executions: submitted, changed, listed, repeated.

use std::collections::HashSet;
use std::sync::Arc;

use attune_domain::execution::outcome::Outcome;
use attune_domain::execution::transition::{Event, apply};
use attune_domain::execution::{
    Execution, ExecutionFilter, ExecutionStats, ExecutionStatus, Idempotency, NewExecution, State,
};
use attune_domain::id::IdentityId;
use attune_domain::page::Page;
use attune_domain::store::{Store, StoreError, Submitted};
use serde_json::json;

use crate::support::{
    ALL, Database, EMBEDDED, SOMEBODY, at, demo_action, fails, holder, install, new_execution, own,
    page, submit, submit_as,
};

/// The state after an execution was claimed and started.
pub(crate) fn running(execution: &Execution) -> State {
    let claimed = apply(&execution.state, Event::Claimed(holder(1)), at(1)).unwrap().state;
    apply(&claimed, Event::Started, at(2)).unwrap().state
}

/// The state of an execution that is over.
fn ended(execution: &Execution, status: ExecutionStatus, result: serde_json::Value) -> State {
    let mut running = running(execution);
    running.version = execution.state.version;
    apply(&running, Event::Ended(Outcome { status, result }), at(3)).unwrap().state
}

async fn ids(store: &dyn Store, filter: ExecutionFilter, page: Page) -> Vec<i64> {
    let listing = store.executions(own(), &filter, page).await.unwrap();
    listing.items.iter().map(|summary| summary.id.0).collect()
}

pub(crate) async fn a_submission_reads_back(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let made = submit(&*store, &action, 5).await;
    let read = store.execution(own(), made.id).await.unwrap().unwrap();
    assert_eq!(read, made);
    assert_eq!((read.action, read.executor), (Some(action.id), Some(SOMEBODY)));

    let state = ended(&made, ExecutionStatus::Completed, json!({"data": "ü"}));
    store.write_state(own(), made.id, &state, Vec::new(), None).await.unwrap();
    let read = store.execution(own(), made.id).await.unwrap().unwrap();
    assert_eq!(read, Execution { state, ..made });
}

pub(crate) async fn an_old_version_is_refused(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let made = submit(&*store, &action, 0).await;
    let cancelled = apply(&made.state, Event::CancelRequested, at(1)).unwrap().state;
    let claimed = apply(&made.state, Event::Claimed(holder(1)), at(1)).unwrap().state;
    store.write_state(own(), made.id, &cancelled, Vec::new(), None).await.unwrap();
    let late = store.write_state(own(), made.id, &claimed, Vec::new(), None).await;
    fails!(late, StoreError::Conflict);
    let read = store.execution(own(), made.id).await.unwrap().unwrap();
    assert_eq!(read.state, cancelled);
}

pub(crate) async fn the_newest_come_first(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let mut made = Vec::new();
    for second in [10, 30, 20, 30] {
        made.push(submit(&*store, &action, second).await.id.0);
    }
    let newest_first = [made[3], made[1], made[2], made[0]];
    assert_eq!(ids(&*store, ExecutionFilter::default(), ALL).await, newest_first);
    let first = store.executions(own(), &ExecutionFilter::default(), page(1, 4)).await.unwrap();
    assert_eq!((first.total, first.has_next), (Some(4), false));
    let uncounted = Page { number: 1, size: 3, count: false };
    let first = store.executions(own(), &ExecutionFilter::default(), uncounted).await.unwrap();
    assert_eq!((first.total, first.has_next), (None, true));
}

pub(crate) async fn pages_lose_nothing_while_rows_come_in(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let mut wanted = HashSet::new();
    for second in 0..20 {
        wanted.insert(submit(&*store, &action, second).await.id.0);
    }
    let mut seen = HashSet::new();
    for number in 1..20 {
        seen.extend(ids(&*store, ExecutionFilter::default(), page(number, 4)).await);
        submit(&*store, &action, 100 + i64::from(number)).await;
    }
    assert!(wanted.is_subset(&seen));
}

pub(crate) async fn filters_narrow_the_list(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    install(&*store, EMBEDDED, "demo2", &["demo2.hello"]).await;
    let other = store.action(own(), "demo2.hello").await.unwrap().unwrap();
    let first = submit(&*store, &action, 1).await;
    let somebody_else =
        NewExecution { executor: Some(IdentityId(5)), ..new_execution(&other, at(2)) };
    let second = submit_as(&*store, own(), somebody_else, 2).await.id.0;
    let state = ended(&first, ExecutionStatus::Failed, json!({}));
    store.write_state(own(), first.id, &state, Vec::new(), None).await.unwrap();

    let none = ExecutionFilter::default;
    let cases = [
        (ExecutionFilter { status: Some(ExecutionStatus::Failed), ..none() }, vec![first.id.0]),
        (ExecutionFilter { action_ref: Some("demo2.hello".to_owned()), ..none() }, vec![second]),
        (ExecutionFilter { pack_ref: Some("demo".to_owned()), ..none() }, vec![first.id.0]),
        (ExecutionFilter { executor: Some(IdentityId(5)), ..none() }, vec![second]),
        (ExecutionFilter { parent: Some(first.id), ..none() }, vec![]),
        (ExecutionFilter { top_level_only: true, ..none() }, vec![second, first.id.0]),
    ];
    for (filter, wanted) in cases {
        assert_eq!(ids(&*store, filter.clone(), page(1, 9)).await, wanted, "{filter:?}");
    }
}

pub(crate) async fn results_are_searched_for_plain_text(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    for (second, text) in ["50% off", "50 off", "a_b", "aXb", r"back\slash"].iter().enumerate() {
        let made = submit(&*store, &action, i64::try_from(second).unwrap()).await;
        let state = ended(&made, ExecutionStatus::Completed, json!({"data": text}));
        store.write_state(own(), made.id, &state, Vec::new(), None).await.unwrap();
    }
    for (text, found) in [("50%", 1), ("50", 2), ("a_b", 1), ("A_B", 1), (r"k\\s", 1), ("z", 0)] {
        let filter =
            ExecutionFilter { result_contains: Some(text.to_owned()), ..Default::default() };
        assert_eq!(ids(&*store, filter, ALL).await.len(), found, "{text}");
    }
}

pub(crate) async fn stats_count_by_status(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    assert_eq!(store.execution_stats(own()).await.unwrap(), ExecutionStats::default());
    submit(&*store, &action, 0).await;
    let made = submit(&*store, &action, 0).await;
    let state = ended(&made, ExecutionStatus::Completed, json!({}));
    store.write_state(own(), made.id, &state, Vec::new(), None).await.unwrap();
    let counted = ExecutionStats { total: 2, pending: 1, completed: 1, ..Default::default() };
    assert_eq!(store.execution_stats(own()).await.unwrap(), counted);
}

fn keyed(new: NewExecution, key: &str, request: &str) -> NewExecution {
    let idempotency = Idempotency { key: key.to_owned(), request_digest: request.to_owned() };
    NewExecution { idempotency: Some(idempotency), ..new }
}

pub(crate) async fn a_repeated_key_creates_nothing(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let new = || new_execution(&action, at(0));
    let first = submit_as(&*store, own(), keyed(new(), "k", "x"), 0).await;
    match store.submit(own(), keyed(new(), "k", "x"), at(9)).await.unwrap() {
        Submitted::Repeated(execution) => assert_eq!(execution, first),
        other => panic!("{other:?}"),
    }
    let reused = store.submit(own(), keyed(new(), "k", "y"), at(9)).await.unwrap();
    assert!(matches!(reused, Submitted::KeyReused));
    assert_eq!(ids(&*store, ExecutionFilter::default(), ALL).await.len(), 1);

    let somebody_else = NewExecution { executor: Some(IdentityId(5)), ..new() };
    submit_as(&*store, own(), keyed(somebody_else, "k", "x"), 0).await;
    submit_as(&*store, own(), keyed(new(), "another", "x"), 0).await;
}

pub(crate) async fn a_key_is_forgotten_after_a_day(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let new = || keyed(new_execution(&action, at(0)), "k", "x");
    let day = 24 * 3600;
    submit_as(&*store, own(), new(), 0).await;
    let early = store.submit(own(), new(), at(day - 1)).await.unwrap();
    assert!(matches!(early, Submitted::Repeated(_)));
    submit_as(&*store, own(), new(), day).await;
}

pub(crate) async fn equal_keys_at_once_create_one(database: &mut dyn Database) {
    let store = database.store();
    let action = Arc::new(demo_action(&*store, EMBEDDED).await);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (store, new) = (Arc::clone(&store), keyed(new_execution(&action, at(0)), "k", "x"));
            tokio::spawn(async move { store.submit(own(), new, at(0)).await.unwrap() })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += usize::from(matches!(task.await.unwrap(), Submitted::New(_)));
    }
    assert_eq!(created, 1);
}

pub(crate) async fn history_outlives_the_action(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let made = submit(&*store, &action, 0).await;
    store.delete_pack(own(), "demo").await.unwrap();
    let read = store.execution(own(), made.id).await.unwrap().unwrap();
    assert_eq!((read.action, read.action_ref.as_str()), (None, "demo.hello"));
    let again = demo_action(&*store, EMBEDDED).await;
    assert_ne!(again.id, action.id);
    assert_eq!(store.execution(own(), made.id).await.unwrap().unwrap().action, None);
}
