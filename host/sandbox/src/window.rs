//! Room for bytes that are on their way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::protocol::HTTP_WINDOW;

/// What may still be sent before the other side takes some.
#[derive(Clone)]
pub(crate) struct Window(Arc<Shared>);

struct Shared {
    free: Mutex<usize>,
    more: Notify,
}

impl Window {
    pub(crate) fn new() -> Window {
        Window(Arc::new(Shared { free: Mutex::new(HTTP_WINDOW), more: Notify::new() }))
    }

    /// Waits for room and takes it, for as much of `wanted` as there is.
    pub(crate) async fn take(&self, wanted: usize) -> usize {
        loop {
            let room = {
                let mut free = self.free();
                let room = wanted.min(*free);
                *free -= room;
                room
            };
            if room > 0 || wanted == 0 {
                return room;
            }
            self.0.more.notified().await;
        }
    }

    /// The other side has taken so many bytes. It may lie, and gains nothing by it.
    pub(crate) fn give(&self, bytes: u64) {
        let bytes = usize::try_from(bytes).unwrap_or(HTTP_WINDOW);
        let mut free = self.free();
        *free = free.saturating_add(bytes).min(HTTP_WINDOW);
        self.0.more.notify_one();
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.0.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn room_is_taken_until_there_is_none() {
        let window = Window::new();
        assert_eq!(window.take(HTTP_WINDOW - 1).now_or_never(), Some(HTTP_WINDOW - 1));
        assert_eq!(window.take(10).now_or_never(), Some(1));
        assert_eq!(window.take(10).now_or_never(), None);
        window.give(3);
        assert_eq!(window.take(10).now_or_never(), Some(3));
    }

    #[test]
    fn more_than_was_sent_cannot_be_taken() {
        let window = Window::new();
        window.give(u64::MAX);
        assert_eq!(window.take(usize::MAX).now_or_never(), Some(HTTP_WINDOW));
    }
}
