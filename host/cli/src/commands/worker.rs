//! `attune worker`: list, cordon, uncordon.

use attune_domain::Json;
use serde_json::json;

use super::{Session, page_query, text};
use crate::args::WorkerCommand;
use crate::failure::Failure;
use crate::output::Tone;

const WORKERS: &str = "/api/v1/workers";

pub(super) async fn run(mut session: Session, command: WorkerCommand) -> Result<(), Failure> {
    match command {
        WorkerCommand::List(page) => list(session, page_query(&page, "page_size")).await,
        WorkerCommand::Cordon { id, reason } => {
            let body = json!({"reason": reason});
            let worker = session.client.post(&format!("{WORKERS}/{id}/cordon"), &body).await?;
            show(&session, &worker);
            Ok(())
        }
        WorkerCommand::Uncordon { id } => {
            let path = format!("{WORKERS}/{id}/uncordon");
            let worker = session.client.post(&path, &json!({})).await?;
            show(&session, &worker);
            Ok(())
        }
    }
}

async fn list(mut session: Session, query: Vec<(&'static str, String)>) -> Result<(), Failure> {
    let mut list = session.client.get(WORKERS, &query).await?;
    if !session.output.is_json() {
        for worker in list["items"].as_array_mut().into_iter().flatten() {
            worker["running"] = worker["load"]["running"].take();
            worker["places"] = worker["load"]["max_concurrent_executions"].take();
        }
    }
    let columns = [
        ("id", "id"),
        ("name", "name"),
        ("health", "health_state"),
        ("running", "running"),
        ("places", "places"),
        ("last heartbeat", "last_heartbeat"),
        ("cordon", "cordon_reason"),
    ];
    session.show_list(&list, &columns);
    Ok(())
}

fn show(session: &Session, worker: &Json) {
    if session.output.is_json() {
        session.output.value(worker);
    }
    let (name, health) = (text(&worker["name"]), text(&worker["health_state"]));
    session.output.note(Tone::Good, &format!("worker {name} is {health}"));
}
