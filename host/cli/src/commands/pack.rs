//! `attune pack`: upload, list, show, delete.

use std::path::Path;

use bytes::Bytes;

use super::{Session, page_query, path, text};
use crate::args::PackCommand;
use crate::failure::Failure;
use crate::output::Tone;

const PACKS: &str = "/api/v1/packs/";

pub(super) async fn run(session: Session, command: PackCommand) -> Result<(), Failure> {
    match command {
        PackCommand::Upload { path, force } => upload(session, &path, force).await,
        PackCommand::List(page) => {
            let Session { mut client, output } = session;
            let list = client.get("/api/v1/packs", &page_query(&page, "page_size")).await?;
            let columns = [
                ("ref", "ref"),
                ("version", "version"),
                ("label", "label"),
                ("updated", "updated"),
            ];
            Session { client, output }.show_list(&list, &columns);
            Ok(())
        }
        PackCommand::Show { reference } => show(session, &reference).await,
        PackCommand::Delete { reference } => delete(session, &reference).await,
    }
}

async fn upload(mut session: Session, source: &Path, force: bool) -> Result<(), Failure> {
    let archive = archive(source)?;
    let answer = session.client.upload(archive, force).await?;
    let pack = &answer["data"]["pack"];
    if session.output.is_json() {
        session.output.value(pack);
    }
    let (reference, version) = (text(&pack["ref"]), text(&pack["version"]));
    session.output.note(Tone::Good, &format!("pack {reference} {version} is installed"));
    Ok(())
}

fn archive(source: &Path) -> Result<Bytes, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::usage(format_args!("{}: {error}", source.display()))
    };
    if source.is_dir() {
        return attune_catalog::archive_directory(source).map_err(|error| unreadable(&error));
    }
    std::fs::read(source).map(Bytes::from).map_err(|error| unreadable(&error))
}

async fn show(mut session: Session, reference: &str) -> Result<(), Failure> {
    let answer = session.client.get(&path(PACKS, reference, ""), &[]).await?;
    let pack = &answer["data"];
    if session.output.is_json() {
        session.output.value(pack);
        return Ok(());
    }
    let names = ["ref", "version", "label", "description", "tags", "created", "updated"];
    session.output.fields(&names.map(|name| (name, text(&pack[name]))));
    let actions = session.client.get(&path(PACKS, reference, "/actions"), &[]).await?;
    session.show_list(&actions, &[("action", "ref"), ("label", "label")]);
    Ok(())
}

async fn delete(mut session: Session, reference: &str) -> Result<(), Failure> {
    let answer = session.client.delete(&path(PACKS, reference, "")).await?;
    if session.output.is_json() {
        session.output.value(&answer);
    }
    session.output.note(Tone::Good, &format!("pack {reference} is deleted"));
    Ok(())
}
