//! Brings a database to the schema of this binary.
//!
//! Migrations are numbered from 1 and append-only; each engine has a folder of its
//! own with the same numbers. One that was released is never edited.

use super::engine::Connection;
use crate::error::OpenError;

/// The migrations of one engine; the first is number 1.
pub(crate) type Migrations = &'static [&'static str];

/// Applies what is missing, each migration in a transaction of its own.
pub(crate) async fn apply(
    connection: &mut Connection,
    migrations: Migrations,
) -> Result<(), OpenError> {
    let found = schema(connection).await?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (number, script) in (1..).zip(migrations).filter(|(number, _)| *number > found) {
        tracing::info!(number, "migrating the database");
        step(connection, number, script).await?;
    }
    Ok(())
}

/// The number of the last migration that was applied, 0 for a new database.
async fn schema(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_migration (number BIGINT NOT NULL PRIMARY KEY)")
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM schema_migration")
        .fetch_one(connection)
        .await
}

async fn step(
    connection: &mut Connection,
    number: i64,
    script: &'static str,
) -> Result<(), sqlx::Error> {
    let mut transaction = sqlx::Connection::begin(connection).await?;
    sqlx::raw_sql(script).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO schema_migration (number) VALUES ($1)")
        .bind(number)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
