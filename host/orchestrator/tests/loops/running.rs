//! Ordinary runs, started in the commit that creates them.

use std::pin::pin;
use std::time::Duration;

use attune_domain::access::{Scope, Tenant};
use attune_domain::execution::ExecutionStatus as S;
use attune_domain::id::TenantId;
use attune_orchestrator::SubmitError;
use serde_json::json;
use tokio::sync::oneshot;

use crate::scripted_runner::Script;
use crate::world::{World, announced, soon};

#[tokio::test]
async fn a_free_place_starts_at_once_and_every_step_is_announced() {
    let world = World::new(1).await;
    // The dispatcher looks into the queue first; until it has, newcomers queue.
    let (created, mut watch) = soon(async {
        loop {
            let watch = world.orchestrator.watch();
            world.runner.next(Script::Exit { stdout: "hello\n", code: 0 });
            let created = world.submit().await;
            if created.state.status == S::Running {
                return (created, watch);
            }
            world.end_of(created.id).await;
            world.runner.idle().await;
        }
    })
    .await;
    let ended = world.end_of(created.id).await;
    assert_eq!(ended.state.status, S::Completed);
    assert_eq!(ended.state.result.unwrap()["stdout"], "hello");
    let steps = announced(&mut watch).await;
    assert_eq!(steps, [S::Requested, S::Scheduled, S::Running, S::Completed]);
}

#[tokio::test]
async fn the_job_holds_what_the_action_reads() {
    let mut world = World::new(1).await;
    let execution = world.submit().await;
    let job = world.next_start().await;
    assert_eq!(job.caller.execution, execution.id);
    assert_eq!(job.stdin, "{\"n\":1}\n");
    assert_eq!(job.entry.file, "actions/act.py");
    assert_eq!(job.env["ATTUNE_EXEC_ID"], execution.id.to_string());
    assert_eq!(job.env["ATTUNE_ACTION"], "test.act");
    assert!(job.pack_folder.ends_with("d1"));
}

#[tokio::test]
async fn the_callers_variables_cannot_replace_the_servers() {
    let mut world = World::new(1).await;
    let mut request = world.request(&json!({"n": 1}));
    request.env_vars.insert("ATTUNE_ACTION".into(), "other.act".into());
    request.env_vars.insert("MODE".into(), "dry".into());
    world.orchestrator.submit(&world.principal, request).await.unwrap();
    let job = world.next_start().await;
    assert_eq!(job.env["ATTUNE_ACTION"], "test.act");
    assert_eq!(job.env["MODE"], "dry");
}

#[tokio::test]
async fn a_context_that_cannot_be_a_variable_stays_in_the_parameters() {
    let mut world = World::new(1).await;
    let context = json!({"a=b": 1, "nul\0": 1, "value": "with\0nul", "region": "north"});
    let request = world.request(&json!({"n": 1, "context": context}));
    world.orchestrator.submit(&world.principal, request).await.unwrap();
    let job = world.next_start().await;
    let named = job.env.keys().filter(|name| name.starts_with("ATTUNE_CONTEXT_"));
    assert_eq!(named.collect::<Vec<_>>(), ["ATTUNE_CONTEXT_REGION"]);
    assert_eq!(job.params["context"], context);
}

#[tokio::test]
async fn parameters_that_do_not_fit_end_it_without_a_runner() {
    let mut world = World::new(1).await;
    let request = world.request(&json!({"n": "seven"}));
    let created = world.orchestrator.submit(&world.principal, request).await.unwrap();
    assert_eq!(created.state.status, S::Requested);
    let ended = world.end_of(created.id).await;
    assert_eq!(ended.state.status, S::Failed);
    let result = ended.state.result.unwrap();
    assert_eq!(result["failure_reason"], "parameters");
    assert!(result["error"].as_str().unwrap().contains("'n'"), "{result}");
    assert!(world.started.try_recv().is_err());
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_nothing_stuck() {
    let mut world = World::new(1).await;
    let submit = world.orchestrator.submit(&world.principal, world.request(&json!({"n": 1})));
    // Polled once, then dropped, as when a connection closes.
    tokio::select! {
        biased;
        _ = submit => {}
        () = std::future::ready(()) => {}
    }
    let job = world.next_start().await;
    assert_eq!(world.end_of(job.caller.execution).await.state.status, S::Completed);
}

#[tokio::test]
async fn waiting_gives_up_when_the_time_is_over() {
    let mut world = World::new(1).await;
    let (_release, released) = oneshot::channel();
    world.runner.next(Script::UntilReleased(released));
    let execution = world.submit().await;
    world.next_start().await;
    let wait =
        world.orchestrator.wait_for_end(world.scope(), execution.id, Duration::from_secs(10));
    let advance = async {
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_secs(11));
    };
    let (seen, ()) = soon(async { tokio::join!(wait, advance) }).await;
    assert_eq!(seen.unwrap().unwrap().state.status, S::Running);
}

#[tokio::test]
async fn another_tenant_that_waits_learns_at_once_that_it_has_no_such_execution() {
    let mut world = World::new(1).await;
    world.runner.next(Script::UntilStopped { stdout: "" });
    let execution = world.submit().await;
    world.next_start().await;
    let other = Scope::of_tenant(&Tenant { id: TenantId(999), name: String::new() });
    let wait = world.orchestrator.wait_for_end(other, execution.id, Duration::from_hours(24));
    assert_eq!(soon(wait).await.unwrap(), None);
}

#[tokio::test]
async fn draining_lets_running_work_end_and_takes_no_more() {
    let mut world = World::new(1).await;
    let (release, released) = oneshot::channel();
    world.runner.next(Script::UntilReleased(released));
    let execution = world.submit().await;
    world.next_start().await;
    let orchestrator = world.orchestrator.clone();
    let drained = tokio::spawn(async move { orchestrator.drain().await });
    let refused = soon(async {
        loop {
            match world.try_submit().await {
                Err(error) => return error,
                Ok(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert!(matches!(refused, SubmitError::Draining));
    assert_eq!(world.status(execution.id).await, S::Running);
    release.send(()).unwrap();
    assert_eq!(soon(drained).await.unwrap(), 0);
    assert_eq!(world.status(execution.id).await, S::Completed);
}

#[tokio::test]
async fn draining_waits_for_a_request_that_was_let_in() {
    let world = World::new(1).await;
    let mut submit = pin!(world.try_submit());
    assert!(futures::poll!(submit.as_mut()).is_pending());
    // Now its task has begun.
    tokio::task::yield_now().await;
    let mut drain = pin!(world.orchestrator.drain());
    assert!(futures::poll!(drain.as_mut()).is_pending());
    let created = submit.await.unwrap();
    assert_eq!(soon(drain).await, 0);
    let status = world.status(created.id).await;
    assert!(matches!(status, S::Requested | S::Completed), "{status:?}");
}

#[tokio::test]
async fn a_reused_key_with_another_request_is_refused() {
    let world = World::new(1).await;
    let keyed = |digest: &str| {
        let mut request = world.request(&json!({"n": 1}));
        let idempotency = attune_domain::execution::Idempotency {
            key: "once".into(),
            request_digest: digest.into(),
        };
        request.idempotency = Some(idempotency);
        request
    };
    let first = world.orchestrator.submit(&world.principal, keyed("a")).await.unwrap();
    let again = world.orchestrator.submit(&world.principal, keyed("a")).await.unwrap();
    assert_eq!(first.id, again.id);
    let other = world.orchestrator.submit(&world.principal, keyed("b")).await;
    assert!(matches!(other, Err(SubmitError::KeyReused)), "{other:?}");
}

#[tokio::test]
async fn draining_and_settling_have_an_end() {
    let mut world = World::new(1).await;
    let (_never, released) = oneshot::channel();
    world.runner.next(Script::UntilReleased(released));
    world.submit().await;
    world.next_start().await;
    assert_eq!(world.as_time_passes(world.orchestrator.drain()).await, 1);
    assert_eq!(world.as_time_passes(world.orchestrator.settle()).await, 1);
}
