//! `claims URL EMPTY_URL ROWS CLAIMERS`: how many executions a second are claimed and finished, and
//! how long one takes when many wait, or have been, beside a database in which none do. Prints one
//! JSON object. For `make bench`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool that measures")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use attune_domain::access::Scope;
use attune_domain::clock::Timestamp;
use attune_domain::execution::transition::{Event, apply};
use attune_domain::execution::{Execution, ExecutionStatus, NewExecution, State, outcome};
use attune_domain::id::ActionId;
use attune_domain::store::{Store, Submitted};
use attune_domain::worker::{Acquired, Holder};
use attune_store::{CONNECTIONS, Location};
use futures::StreamExt;
use futures::stream;
use serde_json::json;

/// Executions claimed in one commit.
const BATCH: u32 = 128;
/// Writes of one claimer that are on their way at once.
const IN_FLIGHT: usize = 128;
/// Claims whose latency is measured.
const SINGLES: usize = 200;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, empty_url, rows, claimers] = arguments.as_slice() else {
        panic!("claims URL EMPTY_URL ROWS CLAIMERS")
    };
    let (filled, empty) = (Site::open(url).await, Site::open(empty_url).await);
    // Plans and caches come to rest.
    beside(&filled, &empty).await;
    fill(&filled.store, filled.scope, rows.parse().unwrap()).await;
    let queue = beside(&filled, &empty).await;
    let rate = drain(&filled.store, filled.scope, claimers.parse().unwrap()).await;
    let history = beside(&filled, &empty).await;
    println!(
        "{}",
        json!({
            "per_second": rate,
            "full_ms": queue.0, "empty_ms": queue.1, "full_to_empty": queue.0 / queue.1,
            "history_to_empty": history.0 / history.1,
        })
    );
    filled.store.close().await;
    empty.store.close().await;
}

/// A database, and somebody who claims in it.
struct Site {
    store: Arc<dyn Store>,
    scope: Scope,
    holder: Holder,
}

impl Site {
    async fn open(url: &str) -> Site {
        let store = Location::parse(url).unwrap().open(CONNECTIONS).await.unwrap();
        let scope = Scope::of_tenant(&store.embedded_tenant().await.unwrap());
        let holder = lease(&*store, "latency").await;
        Site { store, scope, holder }
    }

    /// From a claim of one to its end.
    async fn latency(&self) -> Duration {
        submit(&*self.store, self.scope).await;
        let started = Instant::now();
        let claimed = self.store.claim(self.holder, 1, None, now()).await.unwrap().remove(0);
        finish(&*self.store, self.scope, claimed).await;
        started.elapsed()
    }
}

/// Milliseconds in the middle, of each of two; in turns, so that what slows the machine down slows
/// both.
async fn beside(one: &Site, other: &Site) -> (f64, f64) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..SINGLES {
        ones.push(one.latency().await);
        others.push(other.latency().await);
    }
    let [one, other] = [ones, others].map(|mut times| {
        times.sort_unstable();
        times[SINGLES / 2].as_secs_f64() * 1000.0
    });
    (one, other)
}

fn now() -> Timestamp {
    attune_domain::clock::to_micros(std::time::SystemTime::now().into())
}

async fn lease(store: &dyn Store, name: &str) -> Holder {
    match store.acquire_lease(name, name, now()).await.unwrap() {
        Acquired::Granted(holder) => holder,
        Acquired::Taken(_) => panic!("the database is in use"),
    }
}

async fn submit(store: &dyn Store, scope: Scope) -> Execution {
    let new = NewExecution {
        // One that was deleted: its id is no foreign key.
        action: ActionId(1),
        action_ref: "bench.noop".into(),
        config: None,
        redacted_config: None,
        env_vars: BTreeMap::new(),
        permission_set_refs: None,
        extra: serde_json::Map::new(),
        executor: None,
        state: State::requested(now()),
        idempotency: None,
    };
    match store.submit(scope, new, now()).await.unwrap() {
        Submitted::New(execution) => execution,
        other => panic!("{other:?}"),
    }
}

async fn fill(store: &Arc<dyn Store>, scope: Scope, rows: usize) {
    let submissions = stream::iter(0..rows).map(|_| submit(&**store, scope));
    submissions.buffer_unordered(256).for_each(async |_| {}).await;
}

/// Claims and finishes all that waits; tells how many a second.
async fn drain(store: &Arc<dyn Store>, scope: Scope, claimers: usize) -> f64 {
    let done = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..claimers)
        .map(|number| {
            let (store, done) = (Arc::clone(store), Arc::clone(&done));
            tokio::spawn(async move {
                let holder = lease(&*store, &format!("claimer {number}")).await;
                loop {
                    let claimed = store.claim(holder, BATCH, None, now()).await.unwrap();
                    if claimed.is_empty() {
                        return;
                    }
                    done.fetch_add(claimed.len(), Ordering::Relaxed);
                    let ends = claimed.into_iter().map(|claimed| finish(&*store, scope, claimed));
                    stream::iter(ends).buffer_unordered(IN_FLIGHT).for_each(async |()| {}).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let done = done.load(Ordering::Relaxed) as f64;
    done / started.elapsed().as_secs_f64()
}

async fn finish(store: &dyn Store, scope: Scope, claimed: Execution) {
    let end = Event::Ended(outcome::of_setup_problem("nothing to do"));
    let state = apply(&claimed.state, end, now()).unwrap().state;
    assert_eq!(state.status, ExecutionStatus::Failed);
    store.write_state(scope, claimed.id, &state, Vec::new(), claimed.state.lease).await.unwrap();
}
