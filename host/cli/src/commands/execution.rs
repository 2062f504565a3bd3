//! `attune execution`: list, show, logs, watch, cancel.

use attune_domain::Json;
use serde_json::json;

use super::{Session, page_query, text, watch};
use crate::args::ExecutionCommand;
use crate::failure::Failure;
use crate::output::Tone;

pub(super) async fn run(mut session: Session, command: ExecutionCommand) -> Result<(), Failure> {
    match command {
        ExecutionCommand::List { status, action, page } => {
            let mut query = page_query(&page, "per_page");
            query.extend(status.map(|status| ("status", status)));
            query.extend(action.map(|action| ("action_ref", action)));
            let list = session.client.get("/api/v1/executions", &query).await?;
            let columns = [
                ("id", "id"),
                ("action", "action_ref"),
                ("status", "status"),
                ("created", "created"),
                ("updated", "updated"),
            ];
            session.show_list(&list, &columns);
            Ok(())
        }
        ExecutionCommand::Show { id } => show(session, id).await,
        ExecutionCommand::Logs { id, stderr, follow } => {
            let stream = if stderr { "stderr" } else { "stdout" };
            watch::print_log(&mut session, id, stream, follow).await
        }
        ExecutionCommand::Watch { id } => watch::run(session, id).await,
        ExecutionCommand::Cancel { id } => cancel(session, id).await,
    }
}

async fn show(mut session: Session, id: i64) -> Result<(), Failure> {
    let answer = session.client.get(&format!("/api/v1/executions/{id}"), &[]).await?;
    let execution = &answer["data"];
    if session.output.is_json() {
        session.output.value(execution);
        return Ok(());
    }
    let names = ["id", "action_ref", "status", "created", "started_at", "updated"];
    session.output.fields(&names.map(|name| (name, text(&execution[name]))));
    for (title, part) in [("parameters", "config"), ("result", "result")] {
        if execution[part] != Json::Null {
            session.output.fields(&[(title, String::new())]);
            session.output.value(&execution[part]);
        }
    }
    Ok(())
}

async fn cancel(mut session: Session, id: i64) -> Result<(), Failure> {
    let answer =
        session.client.post(&format!("/api/v1/executions/{id}/cancel"), &json!({})).await?;
    let execution = &answer["data"];
    if session.output.is_json() {
        session.output.value(execution);
    }
    let status = text(&execution["status"]);
    session.output.note(Tone::Good, &format!("execution {id} is {status}"));
    Ok(())
}
