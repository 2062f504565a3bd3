//! What `sql` needs to know of `PostgreSQL`.

use std::io;

use attune_domain::store::StoreResult;
use tokio::time::timeout;

use crate::error::Stored;

pub(crate) type Engine = sqlx::Postgres;
pub(crate) type Connection = sqlx::PgConnection;
/// Connections for reading.
pub(crate) type Pool = sqlx::postgres::PgPool;
pub(crate) type Row = sqlx::postgres::PgRow;
pub(crate) type Arguments = sqlx::postgres::PgArguments;
/// A query with what is bound to it.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Engine, Arguments>;

/// The result code of asking for a table that is not there: `undefined_table`.
pub(crate) const NO_TABLE: &str = "42P01";

/// The result code of a lock that was not had in time: `lock_not_available`.
pub(crate) const LOCKED: Option<&str> = Some("55P03");

/// Locks the rows of `execution` that are read, and passes over those that others have locked.
macro_rules! skip_locked {
    () => {
        " FOR UPDATE OF execution SKIP LOCKED"
    };
}
pub(crate) use skip_locked;

/// The planner finds the index of what waits by itself.
macro_rules! only_queue {
    () => {
        ""
    };
}
pub(crate) use only_queue;

/// Holds of a value that the query gives. The planner takes an array for short, where it would
/// take what an unknown LIMIT leaves for a tenth of the table, and read all of that.
macro_rules! is_among {
    ($query:literal) => {
        concat!("= ANY (ARRAY(", $query, "))")
    };
}
pub(crate) use is_among;

/// Locks the row that is read until the commit.
macro_rules! for_update {
    () => {
        " FOR UPDATE"
    };
}
pub(crate) use for_update;

/// Waits until nobody else holds the lock of this name, and holds it until the commit.
pub(crate) async fn lock(connection: &mut Connection, name: &str) -> StoreResult<()> {
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))");
    lock.bind(name).execute(connection).await.stored()?;
    Ok(())
}

/// A table `new` with these columns, of the objects in the JSON array `$json`.
macro_rules! rows_of {
    ($json:literal, $first:ident $first_type:ident $(, $column:ident $type:ident)*) => {
        concat!(
            "jsonb_to_recordset(CAST(", $json, " AS JSONB)) AS new (",
            stringify!($first), " ", stringify!($first_type),
            $(", ", stringify!($column), " ", stringify!($type),)*
            ")"
        )
    };
}
pub(crate) use rows_of;

/// Has rows of `execution` looked up by the ids in `$rows`, a table `new`. A plan that is made
/// while there are few would join them all, and go on to when there are many.
macro_rules! looked_up {
    ($rows:expr) => {
        concat!(" AND execution.id = ANY (ARRAY(SELECT new.id FROM ", $rows, "))")
    };
}
pub(crate) use looked_up;

/// The answer to what a lease hangs on, unless the database is gone without a word.
pub(crate) async fn in_time<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let answer = timeout(super::ANSWER, asked).await;
    answer.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}
