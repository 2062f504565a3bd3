//! Writes: each in a transaction of its own, on a connection of the pool.
//!
//! The server groups the syncs of commits that come at once, so that nothing is gathered here.

use std::time::Instant;

use attune_domain::store::{StoreError, StoreResult};
use futures::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::pool::PoolConnection;
use tokio::time::timeout;
use tracing::Instrument;

use super::ANSWER;
use super::engine::{Connection, Engine, Pool};
use crate::error::Stored;
use crate::measure;

/// Hands work to a connection that writes.
#[derive(Clone)]
pub(crate) struct Writer {
    pool: Pool,
    /// Does not wait for locks.
    hasty: Pool,
}

impl Writer {
    pub(crate) fn new(pool: Pool, hasty: Pool) -> Writer {
        Writer { pool, hasty }
    }

    /// Runs `work` and commits it. An error of `work` takes back what it changed.
    ///
    /// In a task of its own: a caller that goes away while BEGIN is on its way would leave the
    /// connection to others in a transaction of which nobody knows, and what they write would
    /// not be committed.
    pub(crate) async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
    {
        let pool = self.pool.clone();
        let task = async move {
            let mut connection = pool.acquire().await.stored()?;
            let began = Instant::now();
            let answer = timeout(ANSWER, transact(&mut connection, work)).await;
            measure::commit(1, began.elapsed());
            answer.unwrap_or_else(|_| Err(unanswered(connection)))
        };
        let ended = tokio::spawn(task.in_current_span()).await;
        ended.unwrap_or_else(|panic| Err(StoreError::Unavailable(Box::new(panic))))
    }

    /// Runs one statement, which is a commit of its own.
    pub(crate) async fn write_one<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>>,
    {
        one_statement(&self.pool, work).await
    }

    /// Runs one statement that fails when others have locked what it writes.
    pub(crate) async fn write_at_once<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>>,
    {
        one_statement(&self.hasty, work).await
    }

    /// The same as [`write`](Self::write): only other engines know a cheaper way.
    pub(crate) async fn write_or_refuse<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
    {
        self.write(work).await
    }
}

async fn transact<T, F>(connection: &mut Connection, work: F) -> StoreResult<T>
where
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>>,
{
    let mut transaction = connection.begin().await.stored()?;
    // An early return drops the transaction, which takes it back.
    let result = work(&mut transaction).await?;
    transaction.commit().await.stored()?;
    Ok(result)
}

async fn one_statement<T, F>(pool: &Pool, work: F) -> StoreResult<T>
where
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>>,
{
    let mut connection = pool.acquire().await.stored()?;
    let began = Instant::now();
    let answer = timeout(ANSWER, work(&mut connection)).await;
    measure::commit(1, began.elapsed());
    answer.unwrap_or_else(|_| Err(unanswered(connection)))
}

/// What was asked on this connection may have been done or not; nothing more is asked on it.
fn unanswered(mut connection: PoolConnection<Engine>) -> StoreError {
    connection.close_on_drop();
    measure::unavailable();
    StoreError::Unavailable(format!("the database did not answer for {ANSWER:?}").into())
}
