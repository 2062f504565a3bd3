//! What all servers of an installation have to agree on.

use async_trait::async_trait;
use attune_domain::store::{InstallationStore, StoreResult};
use sqlx::query;

use super::EngineStore;
use super::engine::Connection;
use super::rows::Fields;
use crate::error::Stored;

#[async_trait]
impl InstallationStore for EngineStore {
    async fn agreed(&self, name: &str, proposed: &str) -> StoreResult<String> {
        let (name, proposed) = (name.to_owned(), proposed.to_owned());
        self.writer.write(move |connection| Box::pin(keep_first(connection, name, proposed))).await
    }

    async fn agree(&self, name: &str, value: &str) -> StoreResult<()> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.writer.write(move |connection| Box::pin(replace(connection, name, value))).await
    }
}

async fn keep_first(
    connection: &mut Connection,
    name: String,
    proposed: String,
) -> StoreResult<String> {
    let row = query(
        "INSERT INTO installation (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = installation.value RETURNING value",
    );
    let row = row.bind(name).bind(proposed).fetch_one(connection).await.stored()?;
    Fields::of(&row).get()
}

async fn replace(connection: &mut Connection, name: String, value: String) -> StoreResult<()> {
    query(
        "INSERT INTO installation (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(connection)
    .await
    .stored()?;
    Ok(())
}
