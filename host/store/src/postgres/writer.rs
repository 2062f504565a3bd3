//! Writes: each in a transaction of its own, on a connection of the pool.
//!
//! The server groups the syncs of commits that come at once, so nothing is gathered here.

use attune_domain::store::StoreResult;
use futures::future::BoxFuture;

use super::engine::{Connection, Pool};
use crate::error::Stored;

/// Hands work to a connection that writes.
#[derive(Clone)]
pub(crate) struct Writer {
    pool: Pool,
}

impl Writer {
    pub(crate) fn new(pool: Pool) -> Writer {
        Writer { pool }
    }

    /// Runs `work` and commits it. An error of `work` takes back what it changed.
    pub(crate) async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>>,
    {
        let mut transaction = self.pool.begin().await.stored()?;
        // An early return drops the transaction, which takes it back.
        let result = work(&mut transaction).await?;
        transaction.commit().await.stored()?;
        Ok(result)
    }

    /// Runs one statement, which is a commit of its own.
    pub(crate) async fn write_one<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>>,
    {
        let mut connection = self.pool.acquire().await.stored()?;
        work(&mut connection).await
    }

    /// The same as [`write`](Self::write): only other engines know a cheaper way.
    pub(crate) async fn write_or_refuse<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>>,
    {
        self.write(work).await
    }
}
