//! `PostgreSQL`: one database for many servers.

mod engine;
mod peers;
#[path = "../sql/mod.rs"]
mod sql;
mod writer;

use std::io;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use attune_domain::store::{Store, StoreResult};
use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _};
use tokio::time::timeout;

use crate::error::{OpenError, Stored};
use crate::location::Schema;
use engine::Pool;
use peers::Voice;
use sql::migrations::{self, Migrations};
use sql::states::StateWriter;
use writer::Writer;

type EngineStore = PostgresStore;

const MIGRATIONS: Migrations = &[
    include_str!("../../migrations/postgres/0001_first.sql"),
    include_str!("../../migrations/postgres/0002_leases.sql"),
    include_str!("../../migrations/postgres/0003_runtimes.sql"),
    include_str!("../../migrations/postgres/0004_audit.sql"),
    include_str!("../../migrations/postgres/0005_keys.sql"),
];

/// Result codes that mean a full disk: `disk_full`.
pub(crate) const FULL: &[&str] = &["53100"];

/// `character_not_in_repertoire`: texts here are UTF-8, of which this engine refuses only NUL.
pub(crate) const NUL_IN_TEXT: &str = "22021";

/// Connections of one server, besides those that search, listen and write states.
pub const CONNECTIONS: u32 = 16;
/// Connections that search, listen, write states, and let an administrator in.
const OTHER_CONNECTIONS: u32 = 4;
/// How long states that are written together wait for somebody who has locked one of them.
const HASTE: &str = "100ms";
/// How long a call waits for one of them, or for the database to answer at all.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a write, or a look that a lease hangs on, waits for a database to answer that may be
/// gone without a word. Longer than what waits for locks.
const ANSWER: Duration = Duration::from_secs(15);
/// The same for the question whether it is still there.
const PING_ANSWER: Duration = Duration::from_secs(1);
/// A connection that was idle for longer is asked whether it is still there.
const TRUSTED: Duration = Duration::from_millis(100);
/// Held while a server migrates, so that two that start at once do not both.
const MIGRATION_LOCK: i64 = 0x6174_7475_6e65;

/// An open `PostgreSQL` database.
#[derive(Clone)]
pub struct PostgresStore {
    writer: Writer,
    states: StateWriter,
    readers: Pool,
    /// One connection for what looks for a text in all rows: nobody's search keeps others waiting.
    searcher: Pool,
    /// One connection on which other servers are heard.
    listener: Pool,
    voice: Voice,
}

/// How far the database at a URL has come.
pub(crate) async fn schema(url: &str) -> Result<Schema, OpenError> {
    let mut connection = options(url)?.connect().await?;
    let found = migrations::found(&mut connection).await?.unwrap_or(0);
    connection.close().await?;
    Ok(Schema { found, known: migrations::known(MIGRATIONS) })
}

fn options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
    let options = options.options([
        // Notices tell of tables that are there already, and the like.
        ("client_min_messages", "warning"),
        // A plan that was made while a table was small reads all of it when it has grown.
        ("enable_seqscan", "off"),
        // Whoever stops in the middle of a transaction keeps the others waiting for so long.
        ("idle_in_transaction_session_timeout", "10s"),
        ("lock_timeout", "10s"),
    ]);
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("attune"),
    })
}

impl PostgresStore {
    /// Connects to the database of a `postgres://` URL, and brings its schema up to date. Takes so
    /// many connections, or as many as the database allows.
    pub async fn open(url: &str, connections: u32) -> Result<PostgresStore, OpenError> {
        let options = options(url)?;
        let mut connection = options.connect().await?;
        migrate(&mut connection).await?;
        let voice = Voice::new(&mut connection).await?;
        let connections = allowed(&mut connection, connections).await?;
        connection.close().await?;
        let hasty = options.clone().options([("lock_timeout", HASTE)]);
        let pool = |connections, options: &PgConnectOptions| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .test_before_acquire(false)
                .before_acquire(|connection, state| Box::pin(still_there(connection, state)))
                .connect_lazy_with(options.clone())
        };
        let readers = pool(connections, &options);
        let writer = Writer::new(readers.clone(), pool(1, &hasty));
        let states = StateWriter::start(writer.clone());
        let (searcher, listener) = (pool(1, &options), pool(1, &options));
        Ok(PostgresStore { writer, states, readers, searcher, listener, voice })
    }

    fn readers_for(&self, searches: bool) -> &Pool {
        if searches { &self.searcher } else { &self.readers }
    }
}

/// Asks a connection that was idle for a while whether it is still good. One that was just in
/// use is believed: asking each time would double the round trips.
async fn still_there(
    connection: &mut PgConnection,
    state: PoolConnectionMetadata,
) -> Result<bool, sqlx::Error> {
    if state.idle_for < TRUSTED {
        return Ok(true);
    }
    let answer = timeout(PING_ANSWER, connection.ping()).await;
    // A connection that says nothing is not closed nicely, which would take as long.
    let answer = answer.map_err(|_| sqlx::Error::Io(io::ErrorKind::TimedOut.into()))?;
    Ok(answer.is_ok())
}

/// As many connections of those that are wanted as this role may have to this database, if no other
/// server shares the limit: then each has to be told its share (`--database-connections`). Whoever
/// waits for one that is in use is served in turn; whoever asks the database for one too many is not.
async fn allowed(connection: &mut PgConnection, wanted: u32) -> Result<u32, sqlx::Error> {
    let limit: Option<i32> = sqlx::query_scalar(
        "SELECT LEAST(NULLIF(rolconnlimit, -1), NULLIF(datconnlimit, -1))
         FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()",
    )
    .fetch_one(connection)
    .await?;
    let Some(limit) = limit.and_then(|limit| u32::try_from(limit).ok()) else { return Ok(wanted) };
    let left = limit.saturating_sub(OTHER_CONNECTIONS).max(1);
    if left < wanted {
        tracing::warn!(limit, wanted, left, "the database allows this role fewer connections");
    }
    Ok(wanted.min(left))
}

async fn migrate(connection: &mut PgConnection) -> Result<(), OpenError> {
    // However long another server takes to migrate.
    sqlx::query("SET lock_timeout = 0").execute(&mut *connection).await?;
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK);
    lock.execute(&mut *connection).await?;
    // The lock goes with the connection, which is closed after this.
    migrations::apply(connection, MIGRATIONS).await
}

#[async_trait]
impl Store for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn ping(&self) -> StoreResult<()> {
        sqlx::query("SELECT 1").execute(&self.readers).await.map(|_| ()).stored()
    }

    async fn close(&self) {
        self.listener.close().await;
        self.searcher.close().await;
        self.readers.close().await;
    }
}
