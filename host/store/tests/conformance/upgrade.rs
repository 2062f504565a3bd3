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

/// The same under the second one, where the run was held under a lease, by a worker that is
/// cordoned and of which the first knew less.
const SECOND: &str = "
    CREATE TABLE schema_migration (number BIGINT NOT NULL PRIMARY KEY);
    INSERT INTO schema_migration VALUES (1), (2);
    INSERT INTO worker (id, name, seen, created, updated, running, places, cordoned_at) VALUES
        (7, 'attune-standalone', 5, 1, 5, 1, 8, 4);
    INSERT INTO lease (id, worker, home, beat, granted, ended) VALUES (5, 7, 'home', 3, 4, 6);
    INSERT INTO execution (id, tenant, action, action_ref, status, version, worker, lease, starts,
        started_at, created, updated, extra, env_vars, result) VALUES
        (1, 1, 9, 'demo.old', 'completed', 3, 7, 5, 1, 5, 5, 6, '{}', '{}', '{\"data\": 1}'),
        (2, 1, 9, 'demo.old', 'running', 2, 7, 5, 1, 5, 5, 5, '{}', '{}', NULL),
        (3, 1, 9, 'demo.old', 'requested', 0, NULL, NULL, 0, NULL, 5, 5, '{}', '{}', NULL);";

/// The scripts that make a database of each earlier schema, with work in it.
macro_rules! earlier {
    ($engine:literal) => {{
        let first = include_str!(concat!("../../migrations/", $engine, "/0001_first.sql"));
        let second = include_str!(concat!("../../migrations/", $engine, "/0002_leases.sql"));
        let third = include_str!(concat!("../../migrations/", $engine, "/0003_runtimes.sql"));
        let fourth = include_str!(concat!("../../migrations/", $engine, "/0004_audit.sql"));
        let (to_third, to_fourth) = (
            "INSERT INTO schema_migration VALUES (3);",
            "INSERT INTO schema_migration VALUES (3), (4);",
        );
        [
            vec![first, FIRST],
            vec![first, second, SECOND],
            vec![first, second, third, SECOND, to_third],
            vec![first, second, third, fourth, SECOND, to_fourth],
        ]
    }};
}

async fn nothing_is_lost(store: &dyn Store) {
    let old = store.execution(own(), ExecutionId(1)).await.unwrap().unwrap();
    assert_eq!((old.state.status, &old.state.result.unwrap()["data"]), (S::Completed, &1.into()));
    let orphans = store.orphans(9).await.unwrap();
    assert_eq!(orphans.iter().map(|held| held.id.0).collect::<Vec<_>>(), [2]);
    assert_eq!(orphans[0].state.worker, Some(WorkerId(7)));

    let holder = lease(store, "attune-standalone").await;
    assert_eq!(holder.worker, WorkerId(7));
    let claimed = store.claim(holder, 9, None, at(9)).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.id.0).collect::<Vec<_>>(), [3]);

    assert!(store.data_keys().await.unwrap().is_empty());
    assert!(store.key(own(), "none", at(9)).await.unwrap().is_none());

    let worker = store.worker(WorkerId(7)).await.unwrap().unwrap();
    assert_eq!(worker.held, Held { scheduled: 1, ..Held::default() });
    let capacity = Capacity { places: 16, runtimes: Vec::new() };
    store.renew_lease(holder.lease, capacity.clone(), at(10)).await.unwrap();
    assert_eq!(store.worker(WorkerId(7)).await.unwrap().unwrap().capacity, capacity);
}

#[tokio::test]
async fn sqlite() {
    for scripts in earlier!("sqlite") {
        let folder = tempfile::tempdir().unwrap();
        let path: &Path = &folder.path().join("attune.db");
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        for script in scripts {
            sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        nothing_is_lost(&SqliteStore::open(path).await.unwrap()).await;
    }
}

#[tokio::test]
async fn postgres() {
    for scripts in earlier!("postgres") {
        let url = postgres::new_schema().await;
        let mut connection = postgres::connect(&url).await;
        for script in scripts {
            sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
        }
        nothing_is_lost(&PostgresStore::open(&url, CONNECTIONS).await.unwrap()).await;
    }
}
