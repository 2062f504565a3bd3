//! What `sql` needs to know of `SQLite`.

use attune_domain::store::StoreResult;

pub(crate) type Engine = sqlx::Sqlite;
pub(crate) type Connection = sqlx::SqliteConnection;
/// Connections that only read.
pub(crate) type Pool = sqlx::sqlite::SqlitePool;
pub(crate) type Row = sqlx::sqlite::SqliteRow;
pub(crate) type Arguments = sqlx::sqlite::SqliteArguments;
/// A query with what is bound to it.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Engine, Arguments>;

/// The result code of asking for a table that is not there; here it is that of many faults, all
/// of which mean that this is no database of attune.
pub(crate) const NO_TABLE: &str = "1";

/// There is one writer, who waits for no lock.
pub(crate) const LOCKED: Option<&str> = None;

/// There is one writer, and nobody else's lock.
macro_rules! skip_locked {
    () => {
        ""
    };
}
pub(crate) use skip_locked;

/// Has the planner read the index of what waits. It would take one of all of history that happens
/// to have the wanted order.
macro_rules! only_queue {
    () => {
        " INDEXED BY execution_queue"
    };
}
pub(crate) use only_queue;

/// Holds of a value that the query gives.
macro_rules! is_among {
    ($query:literal) => {
        concat!("IN (", $query, ")")
    };
}
pub(crate) use is_among;

/// There is one writer: what it reads stays so until it commits.
macro_rules! for_update {
    () => {
        ""
    };
}
pub(crate) use for_update;

/// There is one writer: it holds every lock.
pub(crate) async fn lock(_connection: &mut Connection, _name: &str) -> StoreResult<()> {
    Ok(())
}

/// A table `new` with these columns, of the objects in the JSON array `$json`.
macro_rules! rows_of {
    ($json:literal, $first:ident $first_type:ident $(, $column:ident $type:ident)*) => {
        concat!(
            "(SELECT value ->> '", stringify!($first), "' AS ", stringify!($first),
            $(", value ->> '", stringify!($column), "' AS ", stringify!($column),)*
            " FROM json_each(", $json, ")) AS new"
        )
    };
}
pub(crate) use rows_of;

/// They are looked up anyway.
macro_rules! looked_up {
    ($rows:expr) => {
        ""
    };
}
pub(crate) use looked_up;

/// The answer; a file always gives one.
pub(crate) async fn in_time<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    asked.await
}
