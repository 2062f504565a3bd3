//! One process has the file: there is nobody to talk to.

use async_trait::async_trait;
use attune_domain::store::{Heard, PeerStore, StoreResult};
use futures::stream::BoxStream;

use super::SqliteStore;

#[async_trait]
impl PeerStore for SqliteStore {
    async fn tell(&self, _text: &str) -> StoreResult<()> {
        Ok(())
    }

    async fn listen(&self) -> StoreResult<Option<BoxStream<'static, Heard>>> {
        Ok(None)
    }
}
