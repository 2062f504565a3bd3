//! The way of messages from a runner to its server.
//!
//! Whoever has something to say writes it to the socket: no queue and no task
//! for writing, because on a thread with busy guests each change of task costs
//! a millisecond for each of them.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use futures::future::poll_fn;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

use crate::protocol::{FromRunner, encode};

type Writer = FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>;

/// Where messages to the server go.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Mutex<Writer>>);

/// The turn of one sender, when the socket has room.
pub(crate) struct Turn<'a>(MutexGuard<'a, Writer>);

impl Outbox {
    pub(super) fn new(writer: Writer) -> Outbox {
        Outbox(Arc::new(Mutex::new(writer)))
    }

    /// Waits for a turn. The error is that the server is gone.
    pub(crate) async fn turn(&self) -> io::Result<Turn<'_>> {
        let mut writer = self.0.lock().await;
        poll_fn(|context| SinkExt::<Bytes>::poll_ready_unpin(&mut *writer, context)).await?;
        Ok(Turn(writer))
    }

    /// Returns when the message can no longer be lost by this process's death.
    pub(super) async fn send(&self, message: &FromRunner, body: &[u8]) -> io::Result<()> {
        let mut turn = self.turn().await?;
        turn.put(message, body)?;
        turn.write().await
    }
}

impl Turn<'_> {
    /// Leaves a message to be written with the next one, or by [`Turn::write`].
    pub(crate) fn put(&mut self, message: &FromRunner, body: &[u8]) -> io::Result<()> {
        self.0.start_send_unpin(encode(message, body))
    }

    /// Writes what was put. Dropping the future only leaves it to the next sender.
    pub(crate) async fn write(mut self) -> io::Result<()> {
        SinkExt::<Bytes>::flush(&mut *self.0).await
    }
}
