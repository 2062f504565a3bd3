//! Following an execution: its status and output as they come, by server-sent events.

use std::time::Duration;

use attune_domain::Json;
use futures::{FutureExt, TryStreamExt, try_join};

use super::run::{is_terminal, summarise};
use super::{Session, text};
use crate::client::sse::Events;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Tone};

/// The log of an execution that still runs has no end to wait for: after so long without
/// anything more, what came counts as what there is.
const PAUSE: Duration = Duration::from_millis(300);

/// Follows one execution to its end and shows how it ended.
pub(super) async fn run(mut session: Session, id: i64) -> Result<(), Failure> {
    let statuses = [("execution_id", id.to_string())];
    let statuses = session.client.stream("/api/v1/executions/stream", &statuses).await?;
    let stdout = open_log(&mut session, id, "stdout").await?;
    let stderr = open_log(&mut session, id, "stderr").await?;
    let output = session.output;
    // With --json, stdout belongs to the one document at the end.
    let show_stdout = move |text: &str| {
        if output.is_json() { output.raw_error(text) } else { output.raw(text) }
    };
    try_join!(
        follow_statuses(output, statuses),
        follow_log(stdout, show_stdout, None),
        follow_log(stderr, move |text| output.raw_error(text), None),
    )?;
    finish(session, id).await
}

/// Prints one stream of an execution's output: what there is, or with `follow` until
/// the execution ends.
pub(super) async fn print_log(
    session: &mut Session,
    id: i64,
    stream: &str,
    follow: bool,
) -> Result<(), Failure> {
    let output = session.output;
    let execution = session.client.get(&format!("/api/v1/executions/{id}"), &[]).boxed().await?;
    let to_the_end = follow || is_terminal(&execution["data"]);
    let events = open_log(session, id, stream).await?;
    let patience = if to_the_end { None } else { Some(PAUSE) };
    if follow_log(events, move |text| output.raw(text), patience).await? == Heard::Part {
        output.note(Tone::Quiet, "the execution has not ended: --follow shows what is to come");
    }
    Ok(())
}

async fn open_log(session: &mut Session, id: i64, stream: &str) -> Result<Events, Failure> {
    let path = format!("/api/v1/executions/{id}/logs/{stream}/stream");
    session.client.stream(&path, &[("offset", "0".to_owned())]).await
}

async fn follow_statuses(output: Output, mut events: Events) -> Result<(), Failure> {
    while let Some(event) = events.try_next().await? {
        let payload: Json = serde_json::from_str(&event.data).unwrap_or_default();
        if is_terminal(&payload) {
            return Ok(());
        }
        output.note(Tone::Quiet, &format!("· {}", text(&payload["status"])));
    }
    Ok(())
}

/// How much of a log was shown.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    All,
    Part,
}

/// Shows a stream until the execution has ended, or, with `patience`, until a pause of
/// that length. The first event is waited for in any case: a server that has nothing says so.
async fn follow_log(
    mut events: Events,
    show: impl Fn(&str),
    patience: Option<Duration>,
) -> Result<Heard, Failure> {
    let mut next = events.try_next().await?;
    while let Some(event) = next {
        match event.name.as_str() {
            "content" | "append" => show(&event.data),
            "done" => return Ok(Heard::All),
            "error" => return Err(Failure::new(Exit::Failed, event.data)),
            _ => {}
        }
        let following = tokio::time::timeout(patience.unwrap_or(Duration::MAX), events.try_next());
        let Ok(following) = following.await else { return Ok(Heard::Part) };
        next = following?;
    }
    Err(Failure::new(Exit::Unreachable, "the server ended the stream"))
}

async fn finish(mut session: Session, id: i64) -> Result<(), Failure> {
    let execution = session.client.get(&format!("/api/v1/executions/{id}"), &[]).boxed().await?;
    let execution = &execution["data"];
    if session.output.is_json() {
        session.output.value(execution);
    } else if let data @ (Json::Object(_) | Json::Array(_)) = &execution["result"]["data"] {
        session.output.value(data);
    }
    summarise(session.output, execution)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::{StreamExt, stream};

    use super::*;
    use crate::client::sse::Event;

    /// Takes longer than a patience of that length, however slow the machine is.
    async fn outlast(patience: Duration) {
        for _ in 0..2 {
            let never = std::future::pending::<()>();
            tokio::time::timeout(patience, never).await.unwrap_err();
        }
    }

    /// What is shown of events that each let the reader wait, and how it ends.
    async fn check(events: &[(&str, &str)], patience: Option<Duration>) -> (String, Heard) {
        let owned = |&(name, data): &(&str, &str)| Event {
            name: name.into(),
            data: data.into(),
            ..Event::default()
        };
        let events: Vec<Event> = events.iter().map(owned).collect();
        let events = stream::iter(events).then(async |event| {
            outlast(Duration::ZERO).await;
            Ok(event)
        });
        let shown = RefCell::new(String::new());
        let heard = follow_log(events.boxed(), |text| shown.borrow_mut().push_str(text), patience);
        let heard = heard.await.unwrap();
        (shown.into_inner(), heard)
    }

    const LOG: [(&str, &str); 3] = [("content", "one"), ("append", "two"), ("done", "")];

    #[tokio::test]
    async fn a_log_with_an_end_is_shown_to_its_end() {
        assert_eq!(check(&LOG, None).await, ("onetwo".into(), Heard::All));
    }

    #[tokio::test]
    async fn without_patience_the_first_event_comes_nevertheless() {
        assert_eq!(check(&LOG, Some(Duration::ZERO)).await, ("one".into(), Heard::Part));
    }
}
