//! Talk between servers: LISTEN and NOTIFY.

use std::time::Duration;

use async_trait::async_trait;
use attune_domain::store::{Heard, PeerStore, StoreResult};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use sqlx::postgres::{PgConnection, PgListener};

use super::PostgresStore;
use super::engine::Pool;
use crate::error::Stored;

/// Wait before a database that took the connection away is asked for another.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);

/// Where this process speaks, and how it is told from others.
#[derive(Clone)]
pub(crate) struct Voice {
    /// The database's schema has one of its own.
    channel: String,
    /// All that this process says begins with it.
    origin: String,
}

impl Voice {
    pub(crate) async fn new(connection: &mut PgConnection) -> Result<Voice, sqlx::Error> {
        let (channel, origin) = sqlx::query_as(
            "SELECT 'attune_' || current_schema()::regnamespace::oid, gen_random_uuid()::text",
        )
        .fetch_one(connection)
        .await?;
        Ok(Voice { channel, origin })
    }
}

#[async_trait]
impl PeerStore for PostgresStore {
    async fn tell(&self, text: &str) -> StoreResult<()> {
        // Outside of the transactions that it tells of: a commit that notifies waits for all
        // others that do.
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(&self.voice.channel);
        let notify = notify.bind(format!("{} {text}", self.voice.origin));
        notify.execute(&self.readers).await.stored()?;
        Ok(())
    }

    async fn listen(&self) -> StoreResult<Option<BoxStream<'static, Heard>>> {
        let pool = self.listener.clone();
        let voice = self.voice.clone();
        let listener = connect(&pool, &voice).await.stored()?;
        let ear = Ear { pool, listener: Some(listener), voice };
        let heard = stream::unfold(ear, |mut ear| async move {
            let heard = ear.next().await?;
            Some((heard, ear))
        });
        Ok(Some(heard.boxed()))
    }
}

async fn connect(pool: &Pool, voice: &Voice) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(&voice.channel).await?;
    Ok(listener)
}

struct Ear {
    pool: Pool,
    /// None while there is no connection: the pool has room for one, so a lost one has to go first.
    listener: Option<PgListener>,
    voice: Voice,
}

impl Ear {
    /// None once the store is closed.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            let Some(listener) = &mut self.listener else { return self.reconnect().await };
            match listener.try_recv().await {
                Ok(Some(notification)) => {
                    if let Some((origin, text)) = notification.payload().split_once(' ')
                        && origin != self.voice.origin
                    {
                        return Some(Heard::Text(text.to_owned()));
                    }
                }
                // The connection was lost, and there is another already.
                Ok(None) => {
                    tracing::info!("other servers are heard again");
                    return Some(Heard::Gap);
                }
                Err(sqlx::Error::PoolClosed) => return None,
                Err(error) => {
                    tracing::warn!(%error, "other servers cannot be heard now");
                    self.listener = None;
                }
            }
        }
    }

    async fn reconnect(&mut self) -> Option<Heard> {
        loop {
            match connect(&self.pool, &self.voice).await {
                Ok(listener) => {
                    tracing::info!("other servers are heard again");
                    self.listener = Some(listener);
                    return Some(Heard::Gap);
                }
                Err(sqlx::Error::PoolClosed) => return None,
                Err(_) => tokio::time::sleep(RECONNECT_AFTER).await,
            }
        }
    }
}
