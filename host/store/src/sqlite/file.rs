//! How a database file is opened.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

/// The WAL is cut back to this size, in bytes, after it has grown in a burst.
const WAL_KEPT: &str = "67108864";

/// Makes the file, readable by its owner alone, unless it is there.
///
/// The folder is synced, so that a power cut cannot take the file with its contents.
pub(crate) fn create_file(path: &Path) -> io::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(_) => File::open(
            path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        )?
        .sync_all(),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// How the one writing connection is opened.
///
/// `synchronous=FULL` syncs the WAL at each commit; the group commit makes up for it.
/// No memory mapping: there, an I/O error would be a signal that ends the process.
pub(crate) fn writer_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("cache_size", "-8192")
        .pragma("journal_size_limit", WAL_KEPT)
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

/// How a connection is opened that cannot write.
pub(crate) fn read_only_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(Duration::from_secs(10))
        .disable_statement_logging()
}

/// A pool of so many connections that cannot write.
pub(crate) fn readers(path: &Path, connections: u32) -> SqlitePool {
    let options =
        read_only_options(path).pragma("cache_size", "-4096").pragma("temp_store", "memory");
    SqlitePoolOptions::new()
        .max_connections(connections)
        // A connection to a file does not go stale; asking it each time costs a round trip.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options)
}
