//! The commands on the database itself: backup, restore, migrate, a new password.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use anyhow::Context;
use attune_domain::access::Scope;
use attune_domain::clock::Clock;
use attune_domain::identity::PASSWORD_LENGTH;
use attune_domain::store::Store;
use attune_store::{BackupError, Location, Schema};

use crate::clock::SystemClock;
use crate::config::Config;
use crate::config::environment::check_length;
use crate::data_dir::DataDir;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Tone};
use crate::secret::Secret;

pub(crate) async fn backup(config: &Config, target: &Path, output: Output) -> Result<(), Failure> {
    let file = file(config, "pg_dump --format=custom --file=FILE URL")?;
    if !file.exists() {
        let missing = Failure::new(Exit::NotFound, format_args!("no database {}", file.display()));
        return Err(missing.remedy("name its folder with --data-dir"));
    }
    attune_store::backup(&file, target).await.map_err(failure)?;
    output.note(Tone::Good, &format!("{} is copied to {}", file.display(), target.display()));
    output.note(
        Tone::Quiet,
        "the master key is not in it: without a copy of that, the values of keys are lost",
    );
    Ok(())
}

pub(crate) async fn restore(config: &Config, source: &Path, output: Output) -> Result<(), Failure> {
    let file = file(config, "pg_restore --clean --if-exists --dbname=URL FILE")?;
    let _held = DataDir::take(&config.data_dir)
        .map_err(|error| Failure::new(Exit::Failed, error).remedy("stop the server first"))?;
    let kept = attune_store::restore(source, &file).await.map_err(failure)?;
    output.note(Tone::Good, &format!("{} is restored", file.display()));
    if let Some(kept) = kept {
        output.note(Tone::Quiet, &format!("what was there before is {}", kept.display()));
    }
    Ok(())
}

/// The file of the database; `PostgreSQL` has `tool` instead.
fn file(config: &Config, tool: &str) -> Result<PathBuf, Failure> {
    match config.database() {
        Location::File(path) => Ok(path),
        Location::Postgres(_) => {
            Err(Failure::usage("PostgreSQL has a tool of its own for this").remedy(tool))
        }
    }
}

fn failure(error: BackupError) -> Failure {
    Failure::new(Exit::Failed, format_args!("{:#}", anyhow::Error::from(error)))
}

pub(crate) async fn migrate(config: &Config, dry_run: bool, output: Output) -> Result<(), Failure> {
    let database = config.database();
    let Schema { found, known } = schema(&database).await?;
    if found > known {
        let problem = format!("database {database} has schema {found}, this version knows {known}");
        return Err(Failure::new(Exit::Failed, problem).remedy("run the version that made it"));
    }
    if !dry_run {
        let store = database.open(config.database_connections).await;
        let store = store.with_context(|| format!("database {database} cannot be migrated"))?;
        store.close().await;
    }
    if output.is_json() {
        output.value(&serde_json::json!({"found": found, "known": known, "dry_run": dry_run}));
    }
    let verb = if dry_run { "would be" } else { "is" };
    let text = match known - found {
        0 => format!("database {database} has schema {known}: there is nothing to do"),
        _ => format!("database {database} {verb} brought from schema {found} to {known}"),
    };
    output.note(Tone::Good, &text);
    Ok(())
}

async fn schema(database: &Location) -> Result<Schema, Failure> {
    let schema = database.schema().await;
    Ok(schema.with_context(|| format!("database {database} cannot be read"))?)
}

pub(crate) async fn reset_password(
    config: &Config,
    login: &str,
    password_stdin: bool,
    output: Output,
) -> Result<(), Failure> {
    let database = config.database();
    let Schema { found, known } = schema(&database).await?;
    if found != known {
        let problem = format!("database {database} has schema {found}, this version has {known}");
        return Err(Failure::new(Exit::Failed, problem).remedy("attune migrate, or start a server"));
    }
    let password = if password_stdin { read_password()? } else { Secret::generate() };
    let store = database.open(config.database_connections).await;
    let store = store.with_context(|| format!("database {database} cannot be opened"))?;
    let reset = set_password(&*store, login, &password).await;
    store.close().await;
    reset?;
    if !password_stdin {
        output.text(password.expose());
    }
    output.note(Tone::Good, &format!("'{login}' has a new password, and is signed out everywhere"));
    Ok(())
}

async fn set_password(store: &dyn Store, login: &str, password: &Secret) -> Result<(), Failure> {
    let identity = store.identity_by_login(login).await.context("the identity cannot be read")?;
    let identity = identity.ok_or_else(|| {
        Failure::new(Exit::NotFound, format_args!("there is no identity '{login}'"))
    })?;
    let hash = attune_api::hash_password(password.expose().to_owned()).await;
    let hash = hash.context("the password cannot be hashed")?;
    let scope = Scope::of_identity(&identity);
    let stored = store.set_password(scope, identity.id, hash, SystemClock.now()).await;
    Ok(stored.context("the password cannot be stored")?)
}

/// The first line of stdin.
fn read_password() -> Result<Secret, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("stdin cannot be read")?;
    let password = line.trim_end_matches(['\r', '\n']);
    check_length("the password", Some(password), &PASSWORD_LENGTH)?;
    Ok(Secret::new(password))
}
