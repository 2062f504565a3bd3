//! `attune action`: list, show.

use attune_domain::schema::to_json_schema;
use attune_domain::{Json, JsonObject};

use super::{Session, page_query, path, text};
use crate::args::ActionCommand;
use crate::failure::Failure;

const ACTIONS: &str = "/api/v1/actions/";

pub(super) async fn run(mut session: Session, command: ActionCommand) -> Result<(), Failure> {
    match command {
        ActionCommand::List { pack, page } => {
            let list = match pack {
                Some(pack) => path("/api/v1/packs/", &pack, "/actions"),
                None => "/api/v1/actions".to_owned(),
            };
            let list = session.client.get(&list, &page_query(&page, "page_size")).await?;
            let columns = [("ref", "ref"), ("label", "label"), ("description", "description")];
            session.show_list(&list, &columns);
            Ok(())
        }
        ActionCommand::Show { reference } => show(session, &reference).await,
    }
}

async fn show(mut session: Session, reference: &str) -> Result<(), Failure> {
    let answer = session.client.get(&path(ACTIONS, reference, ""), &[]).await?;
    let action = &answer["data"];
    if session.output.is_json() {
        session.output.value(action);
        return Ok(());
    }
    let names = ["ref", "label", "description", "entrypoint", "runtime_ref", "updated"];
    session.output.fields(&names.map(|name| (name, text(&action[name]))));
    let rows = parameter_rows(&to_json_schema(&action["param_schema"]));
    if !rows.is_empty() {
        session.output.table(&["parameter", "type", "default", "description"], rows);
    }
    Ok(())
}

fn parameter_rows(schema: &Json) -> Vec<Vec<String>> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let empty = JsonObject::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let row = |(name, spec): (&String, &Json)| {
        let default = match &spec["default"] {
            Json::Null if required.contains(&name.as_str()) => "required".to_owned(),
            default => text(default),
        };
        vec![name.clone(), text(&spec["type"]), default, text(&spec["description"])]
    };
    properties.iter().map(row).collect()
}
