//! The data folder: made private, held by one server at a time, and home of the
//! secret that signs tokens.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::secret::Secret;

/// A data folder that this process holds. Another server is refused until it is dropped.
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    #[error("data folder {} (--data-dir, ATTUNE_DATA_DIR): another attune uses it", .0.display())]
    InUse(PathBuf),
    #[error("data folder {} (--data-dir, ATTUNE_DATA_DIR): {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
}

impl DataDir {
    /// Makes the folder if it is missing, and takes it.
    pub(crate) fn take(path: &Path) -> Result<DataDir, TakeError> {
        let lock = make(path).map_err(|error| TakeError::Io(path.to_owned(), error));
        let (folder, lock) = lock?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DataDir { path: folder, _lock: lock }),
            Err(Errno::WOULDBLOCK) => Err(TakeError::InUse(folder)),
            Err(error) => Err(TakeError::Io(folder, error.into())),
        }
    }

    /// The absolute path of something in the folder.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Tells this folder from all others; made at the first start.
    pub(crate) fn id(&self) -> anyhow::Result<String> {
        Ok(self.secret_in("folder.id")?.expose().to_owned())
    }

    /// The secret that signs tokens: read from the folder, or made at the first start.
    pub(crate) fn jwt_secret(&self) -> anyhow::Result<Secret> {
        self.secret_in("jwt.secret")
    }

    fn secret_in(&self, name: &str) -> anyhow::Result<Secret> {
        let path = self.join(name);
        let problem = || format!("cannot use {}", path.display());
        match File::open(&path) {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text).with_context(problem)?;
                if text.trim().is_empty() {
                    bail!("{} is empty: delete it to get a new one", path.display());
                }
                Ok(Secret::new(text.trim()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secret = Secret::generate();
                write_secret(&path, &secret).with_context(problem)?;
                Ok(secret)
            }
            Err(error) => Err(error).with_context(problem),
        }
    }
}

/// The folder's absolute path, and the file that says who holds it.
fn make(path: &Path) -> io::Result<(PathBuf, File)> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let folder = path.canonicalize()?;
    let lock = private().create(true).truncate(false).open(folder.join("lock"))?;
    Ok((folder, lock))
}

/// Written beside its place and moved there, so that a crash leaves no half of it.
fn write_secret(path: &Path, secret: &Secret) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = private().create(true).truncate(true).open(&unfinished)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_server_holds_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let held = DataDir::take(&place.path().join("data")).unwrap();
        assert!(DataDir::take(&place.path().join("data")).is_err());
        drop(held);
        assert!(DataDir::take(&place.path().join("data")).is_ok());
    }

    #[test]
    fn the_secret_is_made_once_and_private() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataDir::take(place.path()).unwrap();
        let first = folder.jwt_secret().unwrap();
        assert_eq!(folder.jwt_secret().unwrap().expose(), first.expose());
        let mode = std::fs::metadata(folder.join("jwt.secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
