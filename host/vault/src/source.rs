//! Where the master key comes from: a file, a variable, or a command that asks another system.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::master::{BadKeys, MasterKey, Ring};

/// What a command gets to answer.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);

/// Where the master key comes from. It is shown with the setting that names it.
pub enum Source {
    File {
        path: PathBuf,
        /// Whether it is made when it is missing and nothing is stored yet.
        made: bool,
    },
    /// A text that was handed over: a variable of the environment.
    Text(Zeroizing<String>),
    /// A line for the shell; what it writes to stdout is taken.
    Command(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File { path, .. } => {
                write!(f, "{} (--master-key-file, ATTUNE_MASTER_KEY_FILE)", path.display())
            }
            Source::Text(_) => f.write_str("the variable ATTUNE_MASTER_KEY"),
            Source::Command(_) => {
                f.write_str("the command of --master-key-command (ATTUNE_MASTER_KEY_COMMAND)")
            }
        }
    }
}

/// Why there is no master key. The texts name the setting, and nothing of what was read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the master key cannot be read from {0}: {1}")]
    Unreadable(String, #[source] io::Error),
    #[error("the master key cannot be read from {0}: {1}")]
    NoKeys(String, String),
    #[error(
        "the master key {0} is missing, and the database holds values that only it opens: bring it \
         back from where it is kept, or name it with --master-key-file, ATTUNE_MASTER_KEY or \
         --master-key-command"
    )]
    Missing(String),
}

impl Source {
    /// The keys that it holds now.
    pub(crate) async fn read(&self) -> Result<Ring, SourceError> {
        let text = self.text().await;
        let text = text.map_err(|error| SourceError::Unreadable(self.to_string(), error))?;
        let ring = Ring::parse(&text);
        ring.map_err(|bad: BadKeys| SourceError::NoKeys(self.to_string(), bad.to_string()))
    }

    /// The same at a start. A file that is missing is made if it may be.
    pub(crate) async fn read_or_make(&self, nothing_stored: bool) -> Result<Ring, SourceError> {
        let Source::File { path, made } = self else { return self.read().await };
        if path.exists() {
            warn_if_open(path);
            return self.read().await;
        }
        if !nothing_stored {
            return Err(SourceError::Missing(self.to_string()));
        }
        if *made {
            let line = MasterKey::generate_line();
            write_private(path, &line)
                .map_err(|error| SourceError::Unreadable(self.to_string(), error))?;
            tracing::info!(file = %path.display(), "a master key was made; keep a copy of it apart \
                from backups, which are worth nothing without it");
        }
        self.read().await
    }

    async fn text(&self) -> io::Result<Zeroizing<String>> {
        match self {
            Source::File { path, .. } => tokio::fs::read_to_string(path).await.map(Zeroizing::new),
            Source::Text(text) => Ok(text.clone()),
            Source::Command(line) => run(line).await,
        }
    }
}

/// What it says on stderr goes where this server's own log goes.
async fn run(line: &str) -> io::Result<Zeroizing<String>> {
    let mut command = tokio::process::Command::new("/bin/sh");
    command.arg("-c").arg(line).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let ended = tokio::time::timeout(COMMAND_PATIENCE, command.output()).await;
    let ended = ended.map_err(|_| {
        io::Error::new(ErrorKind::TimedOut, format!("no answer in {COMMAND_PATIENCE:?}"))
    })??;
    let stdout = Zeroizing::new(ended.stdout);
    if !ended.status.success() {
        return Err(io::Error::other(format!("it ended with {}", ended.status)));
    }
    let text = str::from_utf8(&stdout).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn warn_if_open(path: &Path) {
    let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        let file = path.display();
        tracing::warn!(%file, "others on this machine may read the master key: chmod 600 it");
    }
}

/// Written beside its place and moved there, so that a crash leaves no half of it.
fn write_private(path: &Path, line: &str) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: PathBuf) -> Source {
        Source::File { path, made: true }
    }

    #[tokio::test]
    async fn a_file_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let source = file(folder.path().join("master.key"));
        let first = source.read_or_make(true).await.unwrap();
        let read = source.read_or_make(false).await.unwrap();
        assert_eq!(first.first().fingerprint(), read.first().fingerprint());
        let mode = folder.path().join("master.key").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_file_that_is_needed_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let refused = file(path.clone()).read_or_make(false).await.unwrap_err().to_string();
        assert!(refused.contains("--master-key-file"), "{refused}");
        let named = Source::File { path: path.clone(), made: false };
        assert!(named.read_or_make(true).await.is_err());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_command_says_the_keys() {
        let line = MasterKey::generate_line();
        let said = Source::Command(format!("echo {}", &*line)).read().await.unwrap();
        assert_eq!(Some(said.first().fingerprint().to_owned()), crate::fingerprint_of_first(&line));
        let failed = Source::Command("echo hunter2; exit 3".to_owned()).read().await.unwrap_err();
        let text = failed.to_string();
        assert!(text.contains("exit status: 3") && text.contains("--master-key-command"), "{text}");
        let silent = Source::Command("true".to_owned()).read().await.unwrap_err().to_string();
        assert!(silent.contains("empty"), "{silent}");
        let wrong = Source::Command("echo hunter2".to_owned()).read().await.unwrap_err();
        assert!(!wrong.to_string().contains("hunter2"));
    }
}
