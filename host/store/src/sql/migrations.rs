//! Brings a database to the schema of this binary.
//!
//! Migrations are numbered from 1 and append-only; each engine has a folder of its
//! own with the same numbers. One that was released is never edited.

use super::engine::{Connection, NO_TABLE};
use crate::error::OpenError;

/// The migrations of one engine; the first is number 1.
pub(crate) type Migrations = &'static [&'static str];

/// Applies what is missing, each migration in a transaction of its own.
pub(crate) async fn apply(
    connection: &mut Connection,
    migrations: Migrations,
) -> Result<(), OpenError> {
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_migration (number BIGINT NOT NULL PRIMARY KEY)")
        .execute(&mut *connection)
        .await?;
    let found = found(connection).await?.unwrap_or(0);
    refuse_newer(found, migrations)?;
    for (number, script) in (1..).zip(migrations).filter(|(number, _)| *number > found) {
        tracing::info!(number, "migrating the database");
        step(connection, number, script).await?;
    }
    Ok(())
}

/// A newer version has used the database; going back would misread its rows.
pub(crate) fn refuse_newer(found: i64, migrations: Migrations) -> Result<(), OpenError> {
    let known = known(migrations);
    if found > known { Err(OpenError::Newer { found, known }) } else { Ok(()) }
}

pub(crate) fn known(migrations: Migrations) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// The number of the last migration that was applied. None when the database is none of attune.
pub(crate) async fn found(connection: &mut Connection) -> Result<Option<i64>, sqlx::Error> {
    let found = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM schema_migration");
    match found.fetch_one(connection).await {
        Ok(found) => Ok(Some(found)),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_TABLE) => Ok(None),
        Err(error) => Err(error),
    }
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
