//! `SQLite` as a database to check, and what only it has.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use attune_domain::id::TenantId;
use attune_domain::store::Store;
use attune_store::{OpenError, SqliteStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use crate::support::Database;

pub(crate) struct Sqlite {
    folder: TempDir,
    store: SqliteStore,
}

pub(crate) async fn open() -> Sqlite {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("attune.db")).await.unwrap();
    Sqlite { folder, store }
}

impl Sqlite {
    fn path(&self) -> PathBuf {
        self.folder.path().join("attune.db")
    }

    /// A connection of the test's own, for what no call of the store does.
    async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap()
    }
}

#[async_trait]
impl Database for Sqlite {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&mut self) {
        self.store = SqliteStore::open(&self.path()).await.unwrap();
    }

    async fn close(&mut self) {
        self.store.close().await;
    }

    async fn add_tenant(&mut self, id: TenantId, name: &str) {
        let mut connection = self.connect().await;
        sqlx::query("INSERT INTO tenant (id, name) VALUES ($1, $2)")
            .bind(id.0)
            .bind(name)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    let database = open().await;
    for entry in std::fs::read_dir(database.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let database = open().await;
    database.store.close().await;
    let mut connection = database.connect().await;
    sqlx::query("INSERT INTO schema_migration VALUES (999)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let refused = SqliteStore::open(&database.path()).await.err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{refused}");
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let database = open().await;
    database.store.close().await;
    let files = std::fs::read_dir(database.folder.path()).unwrap().count();
    assert_eq!(files, 1);
}
