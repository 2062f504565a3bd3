//! A copy of the database while it is in use, and its way back.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection};

use super::file::{create_file, read_only_options, writer_options};
use super::{MIGRATIONS, sql};
use crate::OpenError;

/// Why a copy could not be made or brought back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already: move it away first", .0.display())]
    Exists(PathBuf),
    #[error("{} is no backup of attune", .0.display())]
    NoBackup(PathBuf),
    #[error("{} is damaged: {}", .0.display(), .1)]
    Damaged(PathBuf, String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{} cannot be written or read", .0.display())]
    File(PathBuf, #[source] io::Error),
}

impl BackupError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
        let path = path.to_owned();
        move |error| BackupError::File(path, error)
    }
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> BackupError {
        BackupError::Open(OpenError::Database(error))
    }
}

/// Copies the database `path` into the new file `target`, as it is at one moment. Servers go on
/// meanwhile. The copy is on disk when this returns, and for its owner alone.
pub async fn backup(path: &Path, target: &Path) -> Result<(), BackupError> {
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let unfinished = beside(target, "unfinished");
    remove(&unfinished)?;
    create_file(&unfinished).map_err(BackupError::file(&unfinished))?;
    let mut connection = read_only_options(path).connect().await?;
    let copied = sqlx::query("VACUUM INTO $1")
        .bind(unfinished.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await;
    connection.close().await?;
    if let Err(error) = copied {
        remove(&unfinished)?;
        return Err(error.into());
    }
    put(&unfinished, target)
}

/// Puts the copy `source` into the place of the database `path`, which no server may use now.
/// A database that is there is kept beside it, under the name that is returned.
pub async fn restore(source: &Path, path: &Path) -> Result<Option<PathBuf>, BackupError> {
    check(source).await?;
    let kept = path.exists().then(|| beside(path, "before-restore"));
    if let Some(earlier) = kept.as_ref().filter(|kept| kept.exists()) {
        return Err(BackupError::Exists(earlier.clone()));
    }
    let unfinished = beside(path, "unfinished");
    remove(&unfinished)?;
    create_file(&unfinished).map_err(BackupError::file(&unfinished))?;
    copy_content(source, &unfinished).map_err(BackupError::file(&unfinished))?;
    if let Some(kept) = &kept {
        // With what its WAL holds: a file without it could be half a commit.
        writer_options(path).connect().await?.close().await?;
        std::fs::rename(path, kept).map_err(BackupError::file(kept))?;
    }
    for rest in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(rest);
        remove(Path::new(&name))?;
    }
    put(&unfinished, path)?;
    Ok(kept)
}

/// Whether a file is a whole database of a schema that this version knows.
async fn check(path: &Path) -> Result<(), BackupError> {
    File::open(path).map_err(BackupError::file(path))?;
    let mut connection = read_only_options(path).connect().await?;
    let problem: Result<String, _> =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await;
    match problem.as_deref() {
        Ok("ok") => {}
        Ok(problem) => return Err(BackupError::Damaged(path.to_owned(), problem.to_owned())),
        Err(_) => return Err(BackupError::NoBackup(path.to_owned())),
    }
    let found = sql::migrations::found(&mut connection).await?;
    let found = found.ok_or_else(|| BackupError::NoBackup(path.to_owned()))?;
    connection.close().await?;
    Ok(sql::migrations::refuse_newer(found, MIGRATIONS)?)
}

/// Copies the bytes and not the permissions.
fn copy_content(source: &Path, target: &Path) -> io::Result<()> {
    let mut target = OpenOptions::new().write(true).open(target)?;
    io::copy(&mut File::open(source)?, &mut target)?;
    Ok(())
}

/// Syncs a finished file and gives it its name.
fn put(unfinished: &Path, target: &Path) -> Result<(), BackupError> {
    let renamed = File::open(unfinished).and_then(|file| {
        file.sync_all()?;
        std::fs::rename(unfinished, target)?;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    });
    renamed.map_err(BackupError::file(target))
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::File(path.to_owned(), error))
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
