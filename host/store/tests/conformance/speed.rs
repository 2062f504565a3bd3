use crate::support::*;
use attune_domain::execution::{ExecutionStatus, State};
use attune_domain::store::*;
use std::sync::Arc;
use std::time::Instant;
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "x"]
async fn speed() {
    let folder = tempfile::tempdir_in("/work/main/target").unwrap();
    let store: Arc<dyn Store> =
        Arc::new(attune_store::SqliteStore::open(&folder.path().join("a.db")).await.unwrap());
    let action = Arc::new(demo_action(&*store, EMBEDDED).await);
    let mut ts = vec![];
    for i in 0..2000 {
        let t = Instant::now();
        submit(&*store, &action, i).await;
        ts.push(t.elapsed());
    }
    ts.sort();
    println!("submit p50 {:?} p99 {:?}", ts[1000], ts[1980]);
    let mut ts = vec![];
    for _ in 0..2000 {
        let t = Instant::now();
        store.runnable_action(own(), "demo.hello").await.unwrap();
        ts.push(t.elapsed());
    }
    ts.sort();
    println!("runnable p50 {:?} p99 {:?}", ts[1000], ts[1980]);
    let mut ts = vec![];
    for i in 0..2000 {
        let e = submit(&*store, &action, i).await;
        let t = Instant::now();
        let s = State {
            status: ExecutionStatus::Completed,
            version: 1,
            result: Some("x".repeat(200).into()),
            ..e.state
        };
        store
            .write_state(
                own(),
                e.id,
                &s,
                vec![crate::logs::chunk(attune_domain::runner::Stream::Stdout, 0, "hello world")],
            )
            .await
            .unwrap();
        ts.push(t.elapsed());
    }
    ts.sort();
    println!("write_state p50 {:?} p99 {:?}", ts[1000], ts[1980]);
    let mut ts = vec![];
    for _ in 0..2000 {
        let t = Instant::now();
        store.execution(own(), attune_domain::id::ExecutionId(2001)).await.unwrap();
        ts.push(t.elapsed());
    }
    ts.sort();
    println!("execution p50 {:?} p99 {:?}", ts[1000], ts[1980]);
    let t = Instant::now();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (store, action) = (store.clone(), action.clone());
            tokio::spawn(async move {
                for i in 0..200 {
                    submit(&*store, &action, i).await;
                }
            })
        })
        .collect();
    for t in tasks {
        t.await.unwrap();
    }
    println!("burst 6400 submits {:?} = {}/s", t.elapsed(), 6400.0 / t.elapsed().as_secs_f64());
}
