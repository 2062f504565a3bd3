//! From sqlx's errors to the kinds that callers decide on.

use attune_domain::store::{StoreError, StoreResult};
use sqlx::error::ErrorKind;

use crate::{measure, postgres, sqlite};

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database file cannot be made or opened")]
    File(#[source] std::io::Error),
    /// A newer binary has used it; going back would misread its rows.
    #[error(
        "the database has schema {found}, but this version of attune knows schemas up to {known}; \
         run the newer version that made it"
    )]
    Newer { found: i64, known: i64 },
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
}

/// Turns results of sqlx into results of the store.
pub(crate) trait Stored<T> {
    fn stored(self) -> StoreResult<T>;

    /// The same, where a unique value may be taken; `text` then names it.
    fn or_taken(self, text: impl FnOnce() -> String) -> StoreResult<T>;
}

impl<T> Stored<T> for Result<T, sqlx::Error> {
    fn stored(self) -> StoreResult<T> {
        self.map_err(store_error)
    }

    fn or_taken(self, text: impl FnOnce() -> String) -> StoreResult<T> {
        self.map_err(|error| match &error {
            sqlx::Error::Database(database) if database.kind() == ErrorKind::UniqueViolation => {
                StoreError::Duplicate(text())
            }
            _ => store_error(error),
        })
    }
}

fn store_error(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(database) if is_full(database.as_ref()) => {
            measure::full();
            StoreError::Full
        }
        // The row that this one belongs to was deleted after the caller had read it.
        sqlx::Error::Database(database) if database.kind() == ErrorKind::ForeignKeyViolation => {
            StoreError::Conflict
        }
        sqlx::Error::Database(database)
            if database.code().as_deref() == Some(postgres::NUL_IN_TEXT) =>
        {
            StoreError::NulInText
        }
        _ => {
            measure::unavailable();
            StoreError::Unavailable(Box::new(error))
        }
    }
}

/// The codes of the engines have nothing in common.
fn is_full(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| {
        sqlite::FULL.contains(&code.as_ref()) || postgres::FULL.contains(&code.as_ref())
    })
}

/// Whether the database itself failed, so that its transaction cannot be trusted any more.
pub(crate) fn is_engine_failure(error: &StoreError) -> bool {
    matches!(error, StoreError::Full | StoreError::Unavailable(_))
}

/// The error of a commit, for each of those who waited for it.
pub(crate) fn share(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::Unavailable(source) => StoreError::Unavailable(source.to_string().into()),
        other => StoreError::Unavailable(other.to_string().into()),
    }
}

/// What a call gets that comes after the store was closed.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable("the database has been closed".into())
}

/// A stored row that cannot be read.
pub(crate) fn corrupt(
    table: &'static str,
    row: i64,
    problem: impl std::fmt::Display,
) -> StoreError {
    StoreError::Corrupt { table, row, problem: problem.to_string() }
}
