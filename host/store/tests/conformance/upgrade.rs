//! Databases that earlier versions left, with work in them.

use std::path::Path;

use attune_domain::execution::ExecutionStatus as S;
use attune_domain::id::{ExecutionId, WorkerId};
use attune_domain::store::Store;
use attune_domain::worker::{Capacity, Held};
use attune_store::{CONNECTIONS, PostgresStore, SqliteStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::postgres;
use crate::support::{at, lease, own};

/// What the first schema could hold: history, a run that was cut short, and one that waits.
const FIRST: &str = "
    CREATE TABLE schema_migration (number BIGINT NOT NULL PRIMARY KEY);
    INSERT INTO schema_migration VALUES (1);
    INSERT INTO worker (id, name, seen) VALUES (7, 'attune-standalone', 5);
    INSERT INTO execution (id, tenant, action, action_ref, status, version, worker, starts,
        started_at, created, updated, extra, env_vars, result) VALUES
        (1, 1, 9, 'demo.old', 'completed', 3, 7, 1, 5, 5, 6, '{}', '{}', '{\"data\": 1}'),
        (2, 1, 9, 'demo.old', 'running', 2, 7, 1, 5, 5, 5, '{}', '{}', NULL),
        (3, 1, 9, 'demo.old', 'requested', 0, NULL, 0, NULL, 5, 5, '{}', '{}', NULL);";

async fn of_the_first_schema(store: &dyn Store) {
    let old = store.execution(own(), ExecutionId(1)).await.unwrap().unwrap();
    assert_eq!((old.state.status, &old.state.result.unwrap()["data"]), (S::Completed, &1.into()));
    let orphans = store.orphans(9).await.unwrap();
    assert_eq!(orphans.iter().map(|held| held.id.0).collect::<Vec<_>>(), [2]);
    assert_eq!(orphans[0].state.worker, Some(WorkerId(7)));

    let worker = store.worker(WorkerId(7)).await.unwrap().unwrap();
    assert_eq!((worker.capacity, worker.held), (Capacity::default(), Held::default()));

    let holder = lease(store, "attune-standalone").await;
    assert_eq!(holder.worker, WorkerId(7));
    let claimed = store.claim(holder, 9, None, at(9)).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.id.0).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = &folder.path().join("attune.db");
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let first = include_str!("../../migrations/sqlite/0001_first.sql");
    for script in [first, FIRST] {
        sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    of_the_first_schema(&SqliteStore::open(path).await.unwrap()).await;
}

#[tokio::test]
async fn postgres() {
    let url = postgres::new_schema().await;
    let mut connection = postgres::connect(&url).await;
    let first = include_str!("../../migrations/postgres/0001_first.sql");
    for script in [first, FIRST] {
        sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
    }
    of_the_first_schema(&PostgresStore::open(&url, CONNECTIONS).await.unwrap()).await;
}
