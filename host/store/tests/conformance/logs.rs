//! Stored output of runs.

use attune_domain::execution::State;
use attune_domain::execution::transition::{Event, apply};
use attune_domain::id::ExecutionId;
use attune_domain::runner::Stream;
use attune_domain::store::{LogChunk, Store};

use crate::executions::running;
use crate::support::{Database, EMBEDDED, at, demo_action, holder, own, submit};

pub(crate) fn chunk(stream: Stream, offset: u64, text: &'static str) -> LogChunk {
    LogChunk { stream, offset, bytes: text.into() }
}

async fn read(store: &dyn Store, id: ExecutionId, offset: u64, limit: u64) -> String {
    let bytes = store.read_log(own(), id, Stream::Stdout, offset, limit).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) async fn output_reads_back_from_any_offset(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let id = submit(&*store, &action, 0).await.id;
    let log = vec![
        chunk(Stream::Stdout, 0, "hello "),
        chunk(Stream::Stderr, 0, "oops"),
        chunk(Stream::Stdout, 6, "wor"),
    ];
    store.append_log(own(), id, None, log).await.unwrap();
    store.append_log(own(), id, None, vec![chunk(Stream::Stdout, 9, "ld")]).await.unwrap();
    assert_eq!(read(&*store, id, 0, 100).await, "hello world");
    assert_eq!(read(&*store, id, 4, 3).await, "o w");
    assert_eq!(read(&*store, id, 7, u64::MAX).await, "orld");
    assert_eq!(read(&*store, id, 11, 5).await, "");
    assert_eq!(read(&*store, id, u64::MAX, 5).await, "");
    let stderr = store.read_log(own(), id, Stream::Stderr, 0, 100).await.unwrap();
    assert_eq!(stderr, "oops");
}

pub(crate) async fn a_repeated_chunk_is_kept_once(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let id = submit(&*store, &action, 0).await.id;
    for _ in 0..2 {
        let log = vec![chunk(Stream::Stdout, 0, "once")];
        store.append_log(own(), id, None, log).await.unwrap();
    }
    assert_eq!(read(&*store, id, 0, 100).await, "once");
}

pub(crate) async fn output_comes_with_the_state(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let made = submit(&*store, &action, 0).await;
    let state = State { version: 1, ..running(&made) };
    let log = || vec![chunk(Stream::Stdout, 0, "with it")];
    store.write_state(own(), made.id, &state, log(), None).await.unwrap();
    assert_eq!(read(&*store, made.id, 0, 100).await, "with it");
    let refused =
        store.write_state(own(), made.id, &state, vec![chunk(Stream::Stdout, 7, "!")], None);
    assert!(refused.await.is_err());
    assert_eq!(read(&*store, made.id, 0, 100).await, "with it");
}

pub(crate) async fn another_start_begins_a_new_log(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let made = submit(&*store, &action, 0).await;
    let mut state = made.state.clone();
    let events = [
        Event::Claimed(holder(1)),
        Event::Started,
        Event::Requeued,
        Event::Claimed(holder(1)),
        Event::Started,
    ];
    for event in events {
        state = apply(&state, event, at(1)).unwrap().state;
        store.write_state(own(), made.id, &state, Vec::new(), None).await.unwrap();
        if state.starts == 1 {
            let log = vec![chunk(Stream::Stdout, 0, "first")];
            store.append_log(own(), made.id, None, log).await.unwrap();
        }
    }
    assert_eq!(read(&*store, made.id, 0, 100).await, "");
}
