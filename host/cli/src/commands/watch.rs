//! Following an execution: its status and output as they come, by server-sent events.

use std::time::Duration;

use attune_domain::Json;
use futures::{FutureExt, try_join};

use super::run::{is_terminal, summarise};
use super::{Session, text};
use crate::client::sse::Events;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Tone};

/// A stream that brings nothing for so long has brought what was stored.
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
        follow_log(stdout, show_stdout, false),
        follow_log(stderr, move |text| output.raw_error(text), false),
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
    let events = open_log(session, id, stream).await?;
    follow_log(events, move |text| output.raw(text), !follow).await
}

async fn open_log(session: &mut Session, id: i64, stream: &str) -> Result<Events, Failure> {
    let path = format!("/api/v1/executions/{id}/logs/{stream}/stream");
    session.client.stream(&path, &[("offset", "0".to_owned())]).await
}

async fn follow_statuses(output: Output, mut events: Events) -> Result<(), Failure> {
    while let Some(event) = events.next().await? {
        let payload: Json = serde_json::from_str(&event.data).unwrap_or_default();
        if is_terminal(&payload) {
            return Ok(());
        }
        output.note(Tone::Quiet, &format!("· {}", text(&payload["status"])));
    }
    Ok(())
}

/// Shows a stream until the execution has ended, or, with `only_stored`, until a pause:
/// what is stored comes without one.
async fn follow_log(
    mut events: Events,
    show: impl Fn(&str),
    only_stored: bool,
) -> Result<(), Failure> {
    loop {
        let patience = if only_stored { PAUSE } else { Duration::MAX };
        let Ok(event) = tokio::time::timeout(patience, events.next()).await else {
            return Ok(());
        };
        let Some(event) = event? else {
            return Err(Failure::new(Exit::Unreachable, "the server ended the stream"));
        };
        match event.name.as_str() {
            "content" | "append" => show(&event.data),
            "done" => return Ok(()),
            "error" => return Err(Failure::new(Exit::Failed, event.data)),
            _ => {}
        }
    }
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
