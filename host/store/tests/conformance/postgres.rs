//! `PostgreSQL` as a database to check, and what only it has.
//!
//! `tests/support/postgres.py` starts one and says where it is; each check has a schema of its own
//! in it.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use attune_domain::id::TenantId;
use attune_domain::store::{Heard, PEER_TEXT_BYTES, PeerStore, Store};
use attune_store::{CONNECTIONS, OpenError, PostgresStore};
use futures::StreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::support::Database;

const URL: &str = "ATTUNE_TEST_POSTGRES";

pub(crate) struct Postgres {
    url: String,
    store: PostgresStore,
}

pub(crate) async fn open() -> Postgres {
    let url = new_schema().await;
    let store = PostgresStore::open(&url, CONNECTIONS).await.unwrap();
    Postgres { url, store }
}

/// The URL of a schema that nobody else uses.
pub(crate) async fn new_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let url = std::env::var(URL).unwrap_or_else(|_| {
        panic!("{URL} is not set: run `.config/python.sh tests -m support.postgres cargo test …`")
    });
    let schema = format!("check_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = connect(&url).await;
    let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    format!("{url}&application_name={schema}&options=-csearch_path%3D{schema}")
}

pub(crate) async fn connect(url: &str) -> PgConnection {
    PgConnectOptions::from_str(url).unwrap().connect().await.unwrap()
}

#[async_trait]
impl Database for Postgres {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&mut self) {
        self.store = PostgresStore::open(&self.url, CONNECTIONS).await.unwrap();
    }

    async fn close(&mut self) {
        self.store.close().await;
    }

    async fn add_tenant(&mut self, id: TenantId, name: &str) {
        let mut connection = connect(&self.url).await;
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
async fn a_newer_database_is_refused() {
    let database = open().await;
    let mut connection = connect(&database.url).await;
    sqlx::query("INSERT INTO schema_migration VALUES (999)")
        .execute(&mut connection)
        .await
        .unwrap();
    let refused = PostgresStore::open(&database.url, CONNECTIONS).await.err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{refused}");
}

#[tokio::test]
async fn servers_that_start_at_once_migrate_once() {
    let url = new_schema().await;
    let starts = (0..4).map(|_| PostgresStore::open(&url, CONNECTIONS));
    for opened in futures::future::join_all(starts).await {
        opened.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_is_killed_is_replaced() {
    let database = open().await;
    database.store.ping().await.unwrap();
    kill_connections(&database.url).await;
    // One that was in use a moment ago is believed, and costs the call that asks for it.
    let asked = futures::stream::iter(0..9).then(|_| database.store.ping());
    assert!(asked.map(|answer| answer.is_ok()).any(std::future::ready).await);
    database.store.ping().await.unwrap();
}

async fn kill_connections(url: &str) {
    let mut connection = connect(url).await;
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = current_schema() AND pid <> pg_backend_pid()",
    )
    .execute(&mut connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn servers_hear_each_other_and_not_themselves() {
    let database = open().await;
    let other = PostgresStore::open(&database.url, CONNECTIONS).await.unwrap();
    let mut heard = database.store.listen().await.unwrap().unwrap();
    database.store.tell("to myself").await.unwrap();
    other.tell("a word").await.unwrap();
    let longest = "x".repeat(PEER_TEXT_BYTES);
    other.tell(&longest).await.unwrap();
    assert_eq!(heard.next().await, Some(Heard::Text("a word".to_owned())));
    assert_eq!(heard.next().await, Some(Heard::Text(longest)));
}

#[tokio::test]
async fn a_gap_in_what_is_heard_is_told() {
    let database = open().await;
    let mut heard = database.store.listen().await.unwrap().unwrap();
    kill_connections(&database.url).await;
    assert_eq!(heard.next().await, Some(Heard::Gap));
    let other = PostgresStore::open(&database.url, CONNECTIONS).await.unwrap();
    other.tell("again").await.unwrap();
    assert_eq!(heard.next().await, Some(Heard::Text("again".to_owned())));
}

#[tokio::test]
async fn closing_ends_what_is_heard() {
    let database = open().await;
    let mut heard = database.store.listen().await.unwrap().unwrap();
    let (ended, ()) = futures::join!(heard.next(), database.store.close());
    assert_eq!(ended, None);
}
