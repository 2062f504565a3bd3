//! Where a database is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use attune_domain::store::Store;

use crate::{OpenError, PostgresStore, SqliteStore, postgres, sqlite};

/// Where a database is, and so which engine serves it.
///
/// It is shown without what may be a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// An `SQLite` file.
    File(PathBuf),
    /// The URL of a `PostgreSQL` database.
    Postgres(String),
}

impl Location {
    /// Reads `sqlite:PATH`, `sqlite://PATH`, `postgres://…` or `postgresql://…`; none when it is
    /// none of them.
    pub fn parse(url: &str) -> Option<Location> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Some(Location::Postgres(url.to_owned()));
        }
        let path = url.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        (!path.is_empty() && path != ":memory:").then(|| Location::File(path.into()))
    }

    /// How far the database has come. Nothing is changed.
    pub async fn schema(&self) -> Result<Schema, OpenError> {
        match self {
            Location::File(path) => sqlite::schema(path).await,
            Location::Postgres(url) => postgres::schema(url).await,
        }
    }

    /// Opens the database, and brings its schema up to date. `connections` are those that a server
    /// has to a `PostgreSQL` at once, besides three with a purpose of their own.
    pub async fn open(&self, connections: u32) -> Result<Arc<dyn Store>, OpenError> {
        Ok(match self {
            Location::File(path) => Arc::new(SqliteStore::open(path).await?),
            Location::Postgres(url) => Arc::new(PostgresStore::open(url, connections).await?),
        })
    }
}

/// How far a database has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The number of the last migration that was applied, 0 for a new database.
    pub found: i64,
    /// The number of the last one that this version knows.
    pub known: i64,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => path.display().fmt(f),
            Location::Postgres(url) => {
                let place = url.split_once("://").map_or(url.as_str(), |(_, place)| place);
                let place = place.split('?').next().unwrap_or_default();
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                write!(f, "postgres://{place}")
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_chosen_by_the_scheme() {
        let file = |path: &str| Some(Location::File(path.into()));
        assert_eq!(Location::parse("sqlite:a.db"), file("a.db"));
        assert_eq!(Location::parse("sqlite:///var/a.db"), file("/var/a.db"));
        for nothing in ["sqlite:", "sqlite::memory:", "mysql://host/db", "a.db", ""] {
            assert_eq!(Location::parse(nothing), None, "{nothing}");
        }
        for url in ["postgres://host/db", "postgresql://host/db"] {
            assert_eq!(Location::parse(url), Some(Location::Postgres(url.into())));
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for url in ["postgres://user:hunt@er22@host/db", "postgres://host/db?password=hunter22"] {
            let shown = format!("{0} {0:?}", Location::parse(url).unwrap());
            assert!(shown.contains("postgres://host/db") && !shown.contains("er22"), "{shown}");
        }
    }
}
