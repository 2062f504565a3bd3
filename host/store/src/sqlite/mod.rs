//! `SQLite` inside the server: one file, one machine.
//!
//! [`writer`] serialises writes and groups their commits; reads go to a pool and never wait for
//! a write.

mod backup;
mod engine;
mod file;
mod peers;
#[path = "../sql/mod.rs"]
mod sql;
mod writer;

use std::path::Path;

use async_trait::async_trait;
use attune_domain::store::{Store, StoreResult};
use sqlx::{ConnectOptions, Connection as _};

use crate::error::{OpenError, Stored};
use crate::location::Schema;
use engine::Pool;
use sql::migrations::{self, Migrations};
use sql::states::StateWriter;
use writer::Writer;

pub use backup::{BackupError, backup, restore};

type EngineStore = SqliteStore;

const MIGRATIONS: Migrations = &[
    include_str!("../../migrations/sqlite/0001_first.sql"),
    include_str!("../../migrations/sqlite/0002_leases.sql"),
    include_str!("../../migrations/sqlite/0003_runtimes.sql"),
    include_str!("../../migrations/sqlite/0004_audit.sql"),
    include_str!("../../migrations/sqlite/0005_keys.sql"),
];

/// Result codes that mean a full disk: `SQLITE_FULL`, and `SQLITE_IOERR_SHMSIZE` from growing
/// the WAL's index.
pub(crate) const FULL: &[&str] = &["13", "4874"];

/// Readers never wait for the writer; this many may read at once.
const READERS: u32 = 4;

/// How far the database in a file has come; one that is not there has not begun.
pub(crate) async fn schema(path: &Path) -> Result<Schema, OpenError> {
    let known = migrations::known(MIGRATIONS);
    if !path.exists() {
        return Ok(Schema { found: 0, known });
    }
    let mut connection = file::read_only_options(path).connect().await?;
    let found = migrations::found(&mut connection).await?.unwrap_or(0);
    connection.close().await?;
    Ok(Schema { found, known })
}

/// An open `SQLite` database.
#[derive(Clone)]
pub struct SqliteStore {
    writer: Writer,
    states: StateWriter,
    readers: Pool,
    /// One connection for what looks for a text in all rows: nobody's search keeps others waiting.
    searcher: Pool,
}

impl SqliteStore {
    /// Opens the database in the file `path`, makes it if it is not there, and brings its
    /// schema up to date. The folder must exist.
    pub async fn open(path: &Path) -> Result<SqliteStore, OpenError> {
        file::create_file(path).map_err(OpenError::File)?;
        let options = file::writer_options(path);
        let mut connection = options.connect().await?;
        migrations::apply(&mut connection, MIGRATIONS).await?;
        let writer = Writer::start(connection, options);
        let states = StateWriter::start(writer.clone());
        let (readers, searcher) = (file::readers(path, READERS), file::readers(path, 1));
        Ok(SqliteStore { writer, states, readers, searcher })
    }

    fn readers_for(&self, searches: bool) -> &Pool {
        if searches { &self.searcher } else { &self.readers }
    }
}

#[async_trait]
impl Store for SqliteStore {
    /// The folder of the file is held by one process.
    fn is_shared(&self) -> bool {
        false
    }

    async fn ping(&self) -> StoreResult<()> {
        sqlx::query("SELECT 1").execute(&self.readers).await.map(|_| ()).stored()
    }

    /// Moves the WAL into the database.
    async fn close(&self) {
        // Readers first: the WAL can be emptied only while nobody reads from it.
        self.readers.close().await;
        self.searcher.close().await;
        self.writer.close().await;
    }
}
