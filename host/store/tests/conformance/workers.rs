//! Workers and their leases: whoever lost one is refused, and what it held is found.

use attune_domain::execution::transition::{Event, apply};
use attune_domain::execution::{Execution, State};
use attune_domain::id::IdentityId;
use attune_domain::runner::Stream;
use attune_domain::store::{LogChunk, Store, StoreError};
use attune_domain::worker::{
    Acquired, Capacity, Cordon, Held, Holder, Pulse, Renewed, RuntimeSupport,
};
use futures::future::{OptionFuture, join, join_all};
use serde_json::json;

use crate::support::{Database, EMBEDDED, at, demo_action, fails, lease, own, submit};

fn capacity() -> Capacity {
    let python = RuntimeSupport { name: "python".into(), versions: vec!["3.14.0".into()] };
    Capacity { places: 8, runtimes: vec![python] }
}

async fn pulse(store: &dyn Store, holder: Holder) -> Pulse {
    let pulses = store.pulses().await.unwrap();
    pulses.into_iter().find(|pulse| pulse.holder == holder).unwrap()
}

pub(crate) async fn a_worker_has_one_lease_at_a_time(database: &mut dyn Database) {
    let store = database.store();
    let (one, two) = (lease(&*store, "one").await, lease(&*store, "two").await);
    assert_ne!(one.worker, two.worker);
    let held = pulse(&*store, one).await;
    assert_eq!((held.name.as_str(), held.home.as_str()), ("one", "home of one"));
    assert_eq!(
        store.acquire_lease("one", "elsewhere", at(1)).await.unwrap(),
        Acquired::Taken(held)
    );

    store.end_lease(one.lease, at(2)).await.unwrap();
    let again = lease(&*store, "one").await;
    assert_eq!(again.worker, one.worker);
    assert_ne!(again.lease, one.lease);
    assert_eq!(store.renew_lease(one.lease, capacity(), at(3)).await.unwrap(), Renewed::Lost);
    let live: Vec<_> = store.pulses().await.unwrap().into_iter().map(|seen| seen.holder).collect();
    assert_eq!(live.len(), 2);
    assert!(live.contains(&again) && live.contains(&two));
}

pub(crate) async fn a_renewed_lease_is_not_revoked(database: &mut dyn Database) {
    let store = database.store();
    let holder = lease(&*store, "one").await;
    let seen = pulse(&*store, holder).await;
    let renewed = store.renew_lease(holder.lease, capacity(), at(1)).await.unwrap();
    assert_eq!(renewed, Renewed::Held { cordoned: false });
    assert!(!store.revoke_lease(&seen, at(2)).await.unwrap());

    let seen = pulse(&*store, holder).await;
    assert!(store.revoke_lease(&seen, at(3)).await.unwrap());
    assert!(!store.revoke_lease(&seen, at(3)).await.unwrap());
    assert_eq!(store.renew_lease(holder.lease, capacity(), at(4)).await.unwrap(), Renewed::Lost);
}

pub(crate) async fn what_is_held_is_found(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    for second in 0..4 {
        submit(&*store, &action, second).await;
    }
    let (one, two) = (lease(&*store, "one").await, lease(&*store, "two").await);
    let held = store.claim(one, 2, None, at(5)).await.unwrap();
    let kept = store.claim(two, 1, None, at(5)).await.unwrap();
    assert_eq!(store.held_under(one.lease).await.unwrap(), held);
    assert_eq!(store.held_under(two.lease).await.unwrap(), kept);
    assert!(store.orphans(9).await.unwrap().is_empty());

    let cancelled = apply(&held[0].state, Event::CancelRequested, at(6)).unwrap().state;
    store.write_state(own(), held[0].id, &cancelled, Vec::new(), None).await.unwrap();
    assert_eq!(store.held_under(one.lease).await.unwrap(), held[1..]);
    store.end_lease(one.lease, at(7)).await.unwrap();
    assert_eq!(store.orphans(9).await.unwrap(), held[1..]);
    assert!(store.orphans(0).await.unwrap().is_empty());
}

pub(crate) async fn what_a_worker_holds_is_counted(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    for second in 0..4 {
        submit(&*store, &action, second).await;
    }
    let (one, two) = (lease(&*store, "one").await, lease(&*store, "two").await);
    let held = store.claim(one, 3, None, at(5)).await.unwrap();
    for (execution, steps) in held.iter().zip([1, 2]) {
        let mut state = execution.state.clone();
        for event in [Event::Started, Event::CancelRequested].into_iter().take(steps) {
            state = apply(&state, event, at(6)).unwrap().state;
            store.write_state(own(), execution.id, &state, Vec::new(), None).await.unwrap();
        }
    }
    let all = Held { scheduled: 1, running: 1, canceling: 1 };
    assert_eq!(store.worker(one.worker).await.unwrap().unwrap().held, all);
    assert_eq!(store.worker(two.worker).await.unwrap().unwrap().held, Held::default());

    store.end_lease(one.lease, at(7)).await.unwrap();
    let workers = store.workers().await.unwrap();
    let seen: Vec<_> = workers.iter().map(|worker| (worker.active, worker.held.total())).collect();
    assert_eq!(seen, [(false, 0), (true, 0)]);
}

pub(crate) async fn who_lost_the_lease_is_refused(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    submit(&*store, &action, 0).await;
    let (one, two) = (lease(&*store, "one").await, lease(&*store, "two").await);
    let held = store.claim(one, 1, None, at(5)).await.unwrap().remove(0);
    let started = apply(&held.state, Event::Started, at(6)).unwrap().state;
    let log = || vec![LogChunk { stream: Stream::Stdout, offset: 0, bytes: "words".into() }];
    let write = |lease| store.write_state(own(), held.id, &started, log(), lease);

    // Not by another worker, not after the lease has ended; and nothing is left of the attempt.
    fails!(write(Some(two.lease)).await, StoreError::Conflict);
    store.append_log(own(), held.id, Some(one.lease), log()).await.unwrap();
    store.end_lease(one.lease, at(7)).await.unwrap();
    fails!(write(Some(one.lease)).await, StoreError::Conflict);
    let append = store.append_log(own(), held.id, Some(one.lease), log());
    fails!(append.await, StoreError::Conflict);
    assert_eq!(store.execution(own(), held.id).await.unwrap().unwrap(), held);

    // Who settles it does so by version, and then it is another's.
    let released = apply(&held.state, Event::Released, at(8)).unwrap().state;
    store.write_state(own(), held.id, &released, Vec::new(), None).await.unwrap();
    let claimed = store.claim(two, 1, None, at(9)).await.unwrap();
    assert_eq!(claimed[0].state.lease, Some(two.lease));
    fails!(write(Some(one.lease)).await, StoreError::Conflict);
}

pub(crate) async fn states_that_are_written_at_once_are_judged_one_by_one(
    database: &mut dyn Database,
) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    for second in 0..60 {
        submit(&*store, &action, second).await;
    }
    let (one, two) = (lease(&*store, "one").await, lease(&*store, "two").await);
    let lost = lease(&*store, "lost").await;
    let mut held = Vec::new();
    for holder in [one, lost, two] {
        held.extend(store.claim(holder, 20, None, at(70)).await.unwrap());
    }
    store.end_lease(lost.lease, at(71)).await.unwrap();
    let cancelled = |held: &Execution| apply(&held.state, Event::CancelRequested, at(73)).unwrap();
    let started = |held: &Execution| apply(&held.state, Event::Started, at(72)).unwrap();
    let result = json!({"stdout": "a \u{0} 'quoted' \"ü\" \\u0000", "bytes": "x".repeat(9000)});
    let store = &store;
    let write = async |id, state: State, fence| {
        store.write_state(own(), id, &state, Vec::new(), fence).await.map(|()| state)
    };
    let writes = held.iter().enumerate().map(|(n, held)| {
        let mut state = started(held).state;
        state.result = Some(result.clone());
        // Of those under `two` every second one is what somebody else wants, at the same time.
        let rival = held.state.lease == Some(two.lease) && n % 2 == 0;
        let rival = rival.then(|| write(held.id, cancelled(held).state, None));
        join(write(held.id, state, held.state.lease), OptionFuture::from(rival))
    });
    let written = join_all(writes).await;
    for (held, (written, rival)) in held.iter().zip(written) {
        let read = store.execution(own(), held.id).await.unwrap().unwrap();
        match (written, rival) {
            (Ok(state), None | Some(Err(StoreError::Conflict))) => {
                assert!(held.state.lease != Some(lost.lease));
                assert_eq!(read.state, state);
            }
            (Err(StoreError::Conflict), Some(Ok(state))) => assert_eq!(read.state, state),
            (Err(StoreError::Conflict), None) => {
                assert!(held.state.lease == Some(lost.lease));
                assert_eq!(read, *held);
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn a_cordon_is_told_with_the_next_beat(database: &mut dyn Database) {
    let store = database.store();
    let holder = lease(&*store, "one").await;
    let made = store.worker(holder.worker).await.unwrap().unwrap();
    assert_eq!((made.name.as_str(), made.active, made.cordon), ("one", true, None));

    let cordon = Cordon { reason: Some("new disk".into()), by: Some(IdentityId(7)), at: at(3) };
    let set = store.set_cordon(holder.worker, Some(cordon.clone()), at(3)).await.unwrap();
    assert_eq!(set.unwrap().cordon, Some(cordon));
    let renewed = store.renew_lease(holder.lease, capacity(), at(4)).await.unwrap();
    assert_eq!(renewed, Renewed::Held { cordoned: true });
    let worker = store.worker(holder.worker).await.unwrap().unwrap();
    assert_eq!((worker.seen, &worker.capacity), (at(4), &capacity()));
    assert_eq!(store.workers().await.unwrap(), [worker]);

    assert_eq!(store.set_cordon(holder.worker, None, at(5)).await.unwrap().unwrap().cordon, None);
    let nobody = attune_domain::id::WorkerId(999);
    assert!(store.set_cordon(nobody, None, at(5)).await.unwrap().is_none());
}

pub(crate) async fn the_first_to_propose_is_agreed_with(database: &mut dyn Database) {
    let store = database.store();
    assert_eq!(store.agreed("colour", "blue").await.unwrap(), "blue");
    assert_eq!(store.agreed("colour", "red").await.unwrap(), "blue");
    store.agree("colour", "green").await.unwrap();
    assert_eq!(store.agreed("colour", "red").await.unwrap(), "green");
    assert_eq!(store.agreed("shape", "round").await.unwrap(), "round");
}
