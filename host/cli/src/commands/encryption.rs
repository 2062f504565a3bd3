//! `attune encryption`: what stored values are sealed with, and its rotation.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use attune_vault::{MasterKey, fingerprint_of_first};
use serde_json::json;

use super::{Session, text};
use crate::args::EncryptionCommand;
use crate::failure::{Exit, Failure};
use crate::output::Tone;

const ENCRYPTION: &str = "/api/v1/encryption";
const ROTATE: &str = "/api/v1/encryption/rotate";

pub(super) async fn run(mut session: Session, command: EncryptionCommand) -> Result<(), Failure> {
    match command {
        EncryptionCommand::Show => {
            let answer = session.client.get(ENCRYPTION, &[]).await?;
            let encryption = &answer["data"];
            if session.output.is_json() {
                session.output.value(encryption);
                return Ok(());
            }
            let names = ["master_key", "data_key", "data_key_created", "retired_data_keys"];
            session.output.fields(&names.map(|name| (name, text(&encryption[name]))));
            Ok(())
        }
        EncryptionCommand::RotateData => {
            let answer = session.client.post(ROTATE, &json!({"what": "data_key"})).await?;
            let rotated = &answer["data"];
            if session.output.is_json() {
                session.output.value(rotated);
            }
            let note = format!(
                "data key {} seals from now on; older values are sealed anew in the background",
                text(&rotated["data_key"])
            );
            session.output.note(Tone::Good, &note);
            Ok(())
        }
        EncryptionCommand::RotateMaster { reread: true, .. } => rotate_master(session, None).await,
        EncryptionCommand::RotateMaster { file, data_dir, .. } => {
            // Before anything is written: whoever may not rotate finds out.
            session.client.get(ENCRYPTION, &[]).await?;
            let file = file.unwrap_or_else(|| data_dir.join("master.key"));
            put_first(&file).map_err(|error| {
                Failure::new(Exit::Failed, format_args!("{}: {error}", file.display())).remedy(
                    "name the server's file with --file, or change the source and use --reread",
                )
            })?;
            rotate_master(session, Some(file)).await
        }
    }
}

/// Has the server read its master keys again. When `file` was changed, the server has to have
/// read that one.
async fn rotate_master(mut session: Session, file: Option<PathBuf>) -> Result<(), Failure> {
    let answer = session.client.post(ROTATE, &json!({"what": "master_key"})).await?;
    let rotated = &answer["data"];
    if session.output.is_json() {
        session.output.value(rotated);
    }
    let (used, rewrapped) = (text(&rotated["master_key"]), text(&rotated["rewrapped"]));
    if let Some(file) = &file {
        let first = std::fs::read_to_string(file).ok().and_then(|keys| fingerprint_of_first(&keys));
        if first.as_deref() != Some(used.as_str()) {
            let problem = format_args!("the server does not use {}: it has {used}", file.display());
            return Err(Failure::new(Exit::Failed, problem)
                .remedy("name the server's own file with --file"));
        }
    }
    let note = format!("master key {used} wraps from now on; {rewrapped} data keys wrapped anew");
    session.output.note(Tone::Good, &note);
    let place = file.map_or_else(|| "its source".to_owned(), |file| file.display().to_string());
    let advice = format!(
        "the older lines in {place} may be removed, once all servers have the new one and no \
         backup from before is needed any more"
    );
    session.output.note(Tone::Quiet, &advice);
    Ok(())
}

/// Puts a new master key before the others of a file, which is replaced at once and as a whole.
fn put_first(file: &Path) -> io::Result<()> {
    let before = std::fs::read_to_string(file)?;
    let unfinished = file.with_extension("unfinished");
    let mut options = OpenOptions::new();
    let mut after =
        options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(after, "{}", &*MasterKey::generate_line())?;
    after.write_all(before.as_bytes())?;
    after.sync_all()?;
    let owner = std::os::unix::fs::MetadataExt::uid(&file.metadata()?);
    std::os::unix::fs::fchown(&after, Some(owner), None)?;
    std::fs::rename(&unfinished, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_master_key_stands_before_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        std::fs::write(&file, "old\n").unwrap();
        put_first(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[1]), (2, "old"));
        assert!(fingerprint_of_first(lines[0]).is_some());
        assert!(put_first(&folder.path().join("missing")).is_err());
    }
}
