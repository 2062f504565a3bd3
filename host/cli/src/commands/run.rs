//! `attune run`: submit, wait, show the result.

use std::time::{Duration, Instant};

use attune_domain::execution::ExecutionStatus;
use attune_domain::{Json, JsonObject};
use serde_json::json;

use super::{Session, parameters, path, text, watch};
use crate::args::RunArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Tone};

/// The longest wait that a server grants in one request.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

pub(super) async fn run(mut session: Session, arguments: RunArgs) -> Result<(), Failure> {
    let parameters = read_parameters(&mut session, &arguments).await?;
    let request = json!({"action_ref": arguments.reference, "parameters": parameters});
    let wait = if arguments.no_wait || arguments.watch { 0 } else { arguments.wait };
    let deadline = Instant::now() + Duration::from_secs(wait);
    let first_wait = Duration::from_secs(wait).min(LONGEST_WAIT);
    let answer =
        session.client.post_and_wait("/api/v1/executions/execute", &request, first_wait).await?;
    let execution = answer["data"].clone();
    if arguments.no_wait {
        show_id(session.output, &execution);
        return Ok(());
    }
    if arguments.watch {
        return watch::run(session, id_of(&execution)?).await;
    }
    let execution = wait_for_end(&mut session, execution, deadline).await?;
    show_end(session.output, &execution)
}

/// The parameters, read by the action's schema when a type can make a difference.
async fn read_parameters(
    session: &mut Session,
    arguments: &RunArgs,
) -> Result<JsonObject, Failure> {
    let typed = arguments.parameters.iter().any(|argument| !argument.contains(":="));
    let schema = if typed {
        let action = path("/api/v1/actions/", &arguments.reference, "");
        session.client.get(&action, &[]).await?["data"]["param_schema"].take()
    } else {
        Json::Null
    };
    parameters::read(&arguments.parameters, &schema)
}

async fn wait_for_end(
    session: &mut Session,
    mut execution: Json,
    deadline: Instant,
) -> Result<Json, Failure> {
    let id = id_of(&execution)?;
    while !is_terminal(&execution) {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest < Duration::from_secs(1) {
            return Err(Failure::new(
                Exit::Failed,
                format_args!("execution {id} is still {}", text(&execution["status"])),
            )
            .remedy(format_args!("follow it with: attune execution watch {id}")));
        }
        let path = format!("/api/v1/executions/{id}");
        let mut answer = session.client.get_and_wait(&path, rest.min(LONGEST_WAIT)).await?;
        execution = answer["data"].take();
    }
    Ok(execution)
}

fn show_id(output: Output, execution: &Json) {
    if output.is_json() { output.value(execution) } else { output.text(&text(&execution["id"])) }
}

/// Shows how an execution ended: its result on stdout, the rest on stderr.
pub(super) fn show_end(output: Output, execution: &Json) -> Result<(), Failure> {
    let result = &execution["result"];
    if output.is_json() {
        output.value(execution);
    } else {
        match (&result["data"], &result["stdout"]) {
            (Json::Null, Json::Null) => {}
            (Json::Null, stdout) => output.text(&text(stdout)),
            (Json::String(data), _) => output.text(data),
            (data, _) => output.value(data),
        }
    }
    summarise(output, execution)
}

/// The last line of a command that saw an execution end, and its exit code.
pub(super) fn summarise(output: Output, execution: &Json) -> Result<(), Failure> {
    let (id, action) = (text(&execution["id"]), text(&execution["action_ref"]));
    let status = text(&execution["status"]);
    let result = &execution["result"];
    if status == ExecutionStatus::Completed.as_str() {
        let took = result["duration_ms"].as_u64().map(|ms| format!(" in {ms} ms"));
        let took = took.unwrap_or_default();
        output.note(Tone::Good, &format!("{action} completed{took} (execution {id})"));
        return Ok(());
    }
    // Of a traceback, the last line says what happened.
    let why = result["error"].as_str().and_then(|error| error.lines().last());
    let why = why.unwrap_or("no reason is known");
    Err(Failure::new(Exit::Failed, format_args!("{action} {status}: {why}"))
        .remedy(format_args!("see: attune execution show {id}")))
}

pub(super) fn is_terminal(execution: &Json) -> bool {
    let status = execution["status"].as_str().and_then(|word| word.parse().ok());
    status.is_some_and(ExecutionStatus::is_terminal)
}

fn id_of(execution: &Json) -> Result<i64, Failure> {
    let id = execution["id"].as_i64();
    id.ok_or_else(|| Failure::new(Exit::Failed, "the server's answer holds no execution"))
}
