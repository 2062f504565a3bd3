//! What differs between database engines.
//!
//! The noun modules name the engine's types only through the aliases here.

pub(crate) mod sqlite;

pub(crate) type Engine = sqlx::Sqlite;
pub(crate) type Connection = sqlx::SqliteConnection;
/// Connections that only read.
pub(crate) type Pool = sqlx::sqlite::SqlitePool;
pub(crate) type Row = sqlx::sqlite::SqliteRow;
pub(crate) type Arguments = sqlx::sqlite::SqliteArguments;
/// A query with what is bound to it.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Engine, Arguments>;
