//! The client's commands: what each asks of the API and how it shows the answer.

mod action;
mod encryption;
mod execution;
mod key;
mod login;
mod pack;
mod parameters;
mod run;
mod watch;
mod worker;

use attune_domain::Json;

use crate::args::{ClientArgs, Command, PageArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Tone};

/// Runs a client command.
pub(crate) async fn run(arguments: &ClientArgs, command: Command) -> Result<(), Failure> {
    let session = Session {
        client: Client::new(arguments.url.as_deref())?,
        output: Output::new(arguments.json),
    };
    match command {
        Command::Login(login) => login::run(session, login).await,
        Command::Pack(pack) => pack::run(session, pack).await,
        Command::Action(action) => action::run(session, action).await,
        Command::Run(run) => run::run(session, run).await,
        Command::Execution(execution) => execution::run(session, execution).await,
        Command::Worker(worker) => worker::run(session, worker).await,
        Command::Key(key) => key::run(session, key).await,
        Command::Encryption(encryption) => encryption::run(session, encryption).await,
        Command::Serve(_)
        | Command::Doctor(_)
        | Command::Backup { .. }
        | Command::Restore { .. }
        | Command::Migrate { .. }
        | Command::ResetPassword { .. } => Ok(()),
    }
}

/// What every command works with.
struct Session {
    client: Client,
    output: Output,
}

impl Session {
    /// Shows a list: as it came, or as a table of some of its fields.
    fn show_list(&self, list: &Json, columns: &[(&str, &str)]) {
        if self.output.is_json() {
            return self.output.value(list);
        }
        let header: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
        let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let row = |item: &Json| columns.iter().map(|(_, field)| text(&item[*field])).collect();
        self.output.table(&header, items.iter().map(row).collect());
        if list["pagination"]["has_next"] == true {
            self.output.note(Tone::Quiet, "there is more: --page N shows it");
        }
    }
}

fn page_query(page: &PageArgs, size_name: &'static str) -> Vec<(&'static str, String)> {
    vec![("page", page.page.to_string()), (size_name, page.page_size.to_string())]
}

/// A JSON value in a table or a line: text as it is, null as nothing.
fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A path with one segment that the user wrote; the segment cannot reach another path.
fn path(before: &str, segment: &str, after: &str) -> String {
    let mut path = before.to_owned();
    for byte in segment.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
        if plain || (byte == b'.' && segment.chars().any(|c| c != '.')) {
            path.push(char::from(byte));
        } else {
            path.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
    path + after
}

fn hex_digit(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_stays_one_segment() {
        assert_eq!(path("/packs/", "core.echo", ""), "/packs/core.echo");
        assert_eq!(path("/packs/", "a/b?c", "/x"), "/packs/a%2Fb%3Fc/x");
        assert_eq!(path("/packs/", "..", ""), "/packs/%2E%2E");
    }
}
