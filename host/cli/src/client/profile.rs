//! `cli.toml`: the servers one has signed in to, with their tokens. Tokens belong to
//! the server that issued them and are sent to no other.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use attune_domain::Json;
use serde::{Deserialize, Serialize};

use crate::config::environment;
use crate::failure::Failure;

const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// What `cli.toml` holds, and where it is.
pub(super) struct Profile {
    path: PathBuf,
    content: Content,
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    /// The server of the last login.
    current: Option<String>,
    #[serde(default)]
    servers: BTreeMap<String, Tokens>,
}

/// What a login gave.
#[derive(Serialize, Deserialize)]
pub(super) struct Tokens {
    pub access_token: String,
    pub refresh_token: String,
}

impl Tokens {
    pub(super) fn deserialize_from(data: &Json) -> Option<Tokens> {
        Tokens::deserialize(data).ok()
    }
}

impl Profile {
    /// The user's profile; an empty one before the first login.
    pub(super) fn read() -> Result<Profile, Failure> {
        let home = environment::config_home()
            .ok_or_else(|| Failure::usage("neither HOME nor XDG_CONFIG_HOME is set"))?;
        Profile::read_from(home.join("attune").join("cli.toml"))
    }

    fn read_from(path: PathBuf) -> Result<Profile, Failure> {
        let content = match std::fs::read_to_string(&path) {
            // The parser's message quotes the line, which may hold a token.
            Ok(text) => toml::from_str(&text).map_err(|_| {
                Failure::usage(format_args!("{} cannot be read", path.display()))
                    .remedy("delete it and sign in again")
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Content::default(),
            Err(error) => {
                return Err(Failure::usage(format_args!("{}: {error}", path.display())));
            }
        };
        Ok(Profile { path, content })
    }

    pub(super) fn current(&self) -> &str {
        self.content.current.as_deref().unwrap_or(DEFAULT_SERVER)
    }

    pub(super) fn tokens(&self, server: &str) -> Option<&Tokens> {
        self.content.servers.get(server)
    }

    /// Takes over what another command has written meanwhile: it may have used up the
    /// refresh token a moment before this one. True when the tokens are others now.
    pub(super) fn reread_if_newer(&mut self, server: &str) -> Result<bool, Failure> {
        let newer = Profile::read_from(self.path.clone())?;
        let access = |profile: &Profile| profile.tokens(server).map(|t| t.access_token.clone());
        let changed = access(&newer) != access(self);
        *self = newer;
        Ok(changed)
    }

    /// Keeps the tokens of a login and makes its server the current one.
    pub(super) fn sign_in(&mut self, server: &str, tokens: Tokens) -> Result<(), Failure> {
        self.content.current = Some(server.to_owned());
        self.keep(server, tokens)
    }

    /// Keeps the tokens of a server.
    pub(super) fn keep(&mut self, server: &str, tokens: Tokens) -> Result<(), Failure> {
        self.content.servers.insert(server.to_owned(), tokens);
        write_private(&self.path, &self.content)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(())
    }
}

/// Replaces the file as a whole: two commands at once never leave half of one.
fn write_private(path: &Path, content: &Content) -> anyhow::Result<()> {
    let folder = path.parent().context("the profile has no folder")?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let unfinished = path.with_extension(format!("toml.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(toml::to_string(content)?.as_bytes())?;
    std::fs::rename(&unfinished, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn tokens(refresh_token: &str) -> Tokens {
        Tokens { access_token: "a".into(), refresh_token: refresh_token.into() }
    }

    #[test]
    fn tokens_are_kept_privately_and_for_their_server_only() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("attune/cli.toml");
        let mut profile = Profile::read_from(path.clone()).unwrap();
        assert_eq!(profile.current(), DEFAULT_SERVER);
        profile.sign_in("http://one:1", tokens("r")).unwrap();

        let profile = Profile::read_from(path.clone()).unwrap();
        assert_eq!(profile.current(), "http://one:1");
        assert_eq!(profile.tokens("http://one:1").unwrap().refresh_token, "r");
        assert!(profile.tokens("http://two:1").is_none());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn only_a_login_changes_the_current_server() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("cli.toml");
        let mut profile = Profile::read_from(path.clone()).unwrap();
        profile.sign_in("http://one:1", tokens("r")).unwrap();
        profile.keep("http://two:2", tokens("renewed")).unwrap();

        let profile = Profile::read_from(path).unwrap();
        assert_eq!(profile.current(), "http://one:1");
        assert_eq!(profile.tokens("http://two:2").unwrap().refresh_token, "renewed");
    }
}
