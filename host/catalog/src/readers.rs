//! Reading archives off the async threads, a few at a time.

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Archives that are read at a time; each may hold `archive.extracted_bytes` of memory.
const PARALLEL: usize = 2;

pub(crate) struct Readers {
    permits: Arc<Semaphore>,
}

impl Default for Readers {
    fn default() -> Readers {
        Readers { permits: Arc::new(Semaphore::new(PARALLEL)) }
    }
}

impl Readers {
    /// Does `work` in its turn. The permit goes with it: a client that disconnects ends its
    /// request, but not a reading that has begun.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let permit = self.permits.clone().acquire_owned().await.map_err(io::Error::other)?;
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        Ok(reading.await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_client_that_goes_away_frees_no_place() {
        let readers = Readers::default();
        let (finish, told_to_finish) = mpsc::channel::<()>();
        let gone = readers.in_turn(move || told_to_finish.recv()).now_or_never();
        assert!(gone.is_none(), "it was dropped while its work went on");
        assert_eq!(readers.permits.available_permits(), PARALLEL - 1);
        finish.send(()).unwrap();
        let all = u32::try_from(PARALLEL).unwrap();
        assert!(readers.permits.acquire_many(all).await.is_ok());
    }
}
