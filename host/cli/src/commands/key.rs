//! `attune key`: list, get, set, delete, increment. A value comes from a file or stdin unless it
//! may be seen: every process of the machine can read a command line.

use std::io::Read;
use std::path::Path;

use attune_domain::{Json, JsonObject};
use serde_json::json;

use super::{Session, page_query, path, text};
use crate::args::{KeyCommand, SetKeyArgs};
use crate::failure::{Exit, Failure};
use crate::output::Tone;

const KEYS: &str = "/api/v1/keys";
const ONE_KEY: &str = "/api/v1/keys/";

pub(super) async fn run(mut session: Session, command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::List { owner_type, owner, page } => {
            let mut query = page_query(&page, "per_page");
            query.extend(owner_type.map(|kind| ("owner_type", kind)));
            query.extend(owner.map(|owner| ("owner", owner)));
            let list = session.client.get(KEYS, &query).await?;
            let columns = [
                ("ref", "ref"),
                ("name", "name"),
                ("owner type", "owner_type"),
                ("owner", "owner"),
                ("version", "version"),
                ("expires", "expires_at"),
            ];
            session.show_list(&list, &columns);
            Ok(())
        }
        KeyCommand::Get { reference, value } => get(session, &reference, value).await,
        KeyCommand::Set(arguments) => set(session, arguments).await,
        KeyCommand::Delete { reference } => {
            let answer = session.client.delete(&path(ONE_KEY, &reference, "")).await?;
            if session.output.is_json() {
                session.output.value(&answer);
            }
            session.output.note(Tone::Good, &format!("key {reference} is deleted"));
            Ok(())
        }
        KeyCommand::Increment { reference, by } => {
            let path = path(ONE_KEY, &reference, "/increment");
            let answer = session.client.post(&path, &json!({"by": by})).await?;
            let key = &answer["data"];
            if session.output.is_json() {
                session.output.value(key);
            } else {
                session.output.text(&text(&key["value"]));
            }
            Ok(())
        }
    }
}

async fn get(mut session: Session, reference: &str, value_only: bool) -> Result<(), Failure> {
    let answer = session.client.get(&path(ONE_KEY, reference, ""), &[]).await?;
    let key = &answer["data"];
    if value_only {
        session.output.raw(&text(&key["value"]));
        return Ok(());
    }
    if session.output.is_json() {
        session.output.value(key);
        return Ok(());
    }
    let names = [
        "ref",
        "name",
        "owner_type",
        "owner",
        "encrypted",
        "version",
        "expires_at",
        "created",
        "updated",
    ];
    session.output.fields(&names.map(|name| (name, text(&key[name]))));
    session.output.fields(&[("value", key["value"].to_string())]);
    Ok(())
}

/// Changes a key, or creates it when there is none.
async fn set(mut session: Session, arguments: SetKeyArgs) -> Result<(), Failure> {
    let reference = arguments.reference.clone();
    let value = value(&arguments)?;
    let mut body = JsonObject::new();
    body.extend(value.map(|value| ("value".to_owned(), value)));
    body.extend(arguments.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
    body.extend(arguments.ttl.map(|seconds| ("ttl_seconds".to_owned(), json!(seconds))));
    if arguments.encrypted {
        body.insert("encrypted".to_owned(), json!(true));
    }
    if let Some(version) = arguments.expected_version {
        body.insert("expected_version".to_owned(), json!(version));
    }
    let changed = session.client.put(&path(ONE_KEY, &reference, ""), &json!(body)).await;
    let answer = match changed {
        Err(missing) if missing.exit == Exit::NotFound && arguments.expected_version.is_none() => {
            session.client.post(KEYS, &new_key(&arguments, body)?).await?
        }
        changed => changed?,
    };
    let key = &answer["data"];
    if session.output.is_json() {
        session.output.value(key);
    }
    let version = text(&key["version"]);
    session.output.note(Tone::Good, &format!("key {reference} has version {version}"));
    Ok(())
}

fn new_key(arguments: &SetKeyArgs, mut body: JsonObject) -> Result<Json, Failure> {
    if !body.contains_key("value") {
        let problem =
            format_args!("there is no key '{}', and no value to make it of", arguments.reference);
        return Err(Failure::usage(problem).remedy("--value-file FILE, or - for stdin"));
    }
    body.insert("ref".to_owned(), json!(arguments.reference));
    body.entry("name").or_insert_with(|| json!(arguments.reference));
    body.insert("owner_type".to_owned(), json!(arguments.owner_type));
    body.extend(arguments.owner.as_ref().map(|owner| ("owner".to_owned(), json!(owner))));
    Ok(Json::Object(body))
}

/// The value that the arguments name, if any. What is wrong with it is told without it.
fn value(arguments: &SetKeyArgs) -> Result<Option<Json>, Failure> {
    let given = match (&arguments.value, &arguments.value_file) {
        (Some(value), _) => value.clone(),
        (None, Some(file)) => read(file)?,
        (None, None) if arguments.stdin.is_some() => read(Path::new("-"))?,
        (None, None) => return Ok(None),
    };
    if arguments.text {
        return Ok(Some(given.trim_end_matches(['\r', '\n']).into()));
    }
    serde_json::from_str(&given).map(Some).map_err(|error| {
        // Where, and not what.
        let place = format_args!("the value is no JSON, see line {}", error.line());
        Failure::usage(place).remedy("--text takes it as text")
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::usage(format_args!("{}: {error}", file.display()))),
    }
}
