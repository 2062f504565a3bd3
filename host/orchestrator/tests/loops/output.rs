//! What runs write.

use std::time::Duration;

use attune_domain::notice::Notice;
use attune_domain::runner::Stream;

use crate::scripted_runner::Script;
use crate::world::{World, soon};

#[tokio::test]
async fn output_can_be_read_while_the_run_goes_on() {
    let mut world = World::new(1).await;
    let mut watch = world.orchestrator.watch();
    world.runner.next(Script::UntilStopped { stdout: "working\n" });
    let execution = world.submit().await;
    world.next_start().await;
    soon(async {
        loop {
            world.clock.advance(Duration::from_millis(200));
            match tokio::time::timeout(Duration::from_millis(20), watch.recv()).await {
                Ok(Ok(Notice::Output { .. })) => return,
                _ => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let stored = world.store.read_log(world.scope(), execution.id, Stream::Stdout, 0, 100);
    assert_eq!(stored.await.unwrap(), "working\n");
}

#[tokio::test]
async fn large_output_passes_through_the_store_into_the_result() {
    let world = World::new(1).await;
    let bytes = 3 << 20;
    world.runner.next(Script::Write { bytes });
    let execution = world.submit().await;
    let ended = world.end_of(execution.id).await;
    assert_eq!(ended.state.result.unwrap()["stdout"].as_str().unwrap().len(), bytes);
    let from = (bytes - 10) as u64;
    let tail = world.store.read_log(world.scope(), execution.id, Stream::Stdout, from, 100);
    assert_eq!(tail.await.unwrap(), "xxxxxxxxxx");
}

#[tokio::test]
async fn output_that_is_being_stored_when_the_run_ends_is_not_lost() {
    let world = World::new(1).await;
    for _ in 0..20 {
        world.runner.next(Script::Flushing { clock: world.clock.clone(), stdout: "all of it\n" });
        let execution = world.submit().await;
        let ended = world.end_of(execution.id).await;
        assert_eq!(ended.state.result.unwrap()["stdout"], "all of it");
    }
}
