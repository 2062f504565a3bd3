//! The store on `SQLite`: all SQL of the product, and nothing that decides anything.
//!
//! One module for each noun, with its SQL beside the code that binds and reads it.
//! `writer` serialises writes and groups their commits; reads go to a pool and never
//! wait for a write. What differs between engines is in `engine` and `claims`.
//!
//! Every statement on tenant data names the tenant of its scope. Packs, actions and
//! permission sets are also read from the shared tenant (0), never written there.

mod actions;
mod claims;
mod engine;
mod error;
mod executions;
mod identities;
mod logs;
mod migrations;
mod packs;
mod permissions;
mod rows;
mod submissions;
mod tokens;
mod writer;

use std::path::Path;

use async_trait::async_trait;
use attune_domain::store::{Store, StoreResult};
use sqlx::ConnectOptions;

use engine::{Pool, sqlite};
pub use error::OpenError;
use error::Stored;
use migrations::MigrateError;
use writer::Writer;

/// Readers never wait for the writer; this many may read at once.
const READERS: u32 = 4;

/// An open `SQLite` database.
#[derive(Clone)]
pub struct SqliteStore {
    writer: Writer,
    readers: Pool,
    /// One connection for what looks for a text in all rows: nobody's search keeps others waiting.
    searcher: Pool,
}

impl SqliteStore {
    /// Opens the database in the file `path`, makes it if it is not there, and brings its
    /// schema up to date. The folder must exist.
    pub async fn open(path: &Path) -> Result<SqliteStore, OpenError> {
        sqlite::create_file(path).map_err(OpenError::File)?;
        let options = sqlite::writer_options(path);
        let mut connection = options.connect().await.map_err(OpenError::Database)?;
        migrations::apply(&mut connection, migrations::SQLITE).await.map_err(
            |error| match error {
                MigrateError::Newer { found, known } => OpenError::Newer { found, known },
                MigrateError::Sql(error) => OpenError::Database(error),
            },
        )?;
        let writer = Writer::start(connection, options);
        let (readers, searcher) = (sqlite::readers(path, READERS), sqlite::readers(path, 1));
        Ok(SqliteStore { writer, readers, searcher })
    }

    /// Finishes the writes that wait, moves the WAL into the database and closes it.
    /// Later calls fail with `Unavailable`.
    pub async fn close(&self) {
        // Readers first: the WAL can be emptied only while nobody reads from it.
        self.readers.close().await;
        self.searcher.close().await;
        self.writer.close().await;
    }
}

impl SqliteStore {
    fn readers_for(&self, searches: bool) -> &Pool {
        if searches { &self.searcher } else { &self.readers }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> StoreResult<()> {
        sqlx::query("SELECT 1").execute(&self.readers).await.map(|_| ()).stored()
    }
}
