//! The one queue of messages from a runner to its server.

use bytes::Bytes;
use futures::SinkExt;
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

use crate::protocol::{FromRunner, encode};

/// Messages that may wait; together with their size this bounds memory.
const CAPACITY: usize = 32;
/// Messages written to the socket at once.
const BATCH: usize = CAPACITY;

/// Where messages to the server go.
#[derive(Clone)]
pub(crate) struct Outbox(mpsc::Sender<Outgoing>);

/// The other end: what [`write_all`] sends.
pub(super) type Queue = mpsc::Receiver<Outgoing>;

pub(super) enum Outgoing {
    Frame(Bytes),
    /// Answered when everything before it is in the socket.
    Written(oneshot::Sender<()>),
}

/// Room for one message.
pub(crate) struct Room<'a>(mpsc::Permit<'a, Outgoing>);

impl Room<'_> {
    pub(crate) fn send(self, message: &FromRunner, body: &[u8]) {
        self.0.send(Outgoing::Frame(encode(message, body)));
    }
}

impl Outbox {
    pub(super) fn channel() -> (Outbox, Queue) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (Outbox(sender), receiver)
    }

    /// Waits for room; none when the server is gone.
    pub(crate) async fn reserve(&self) -> Option<Room<'_>> {
        self.0.reserve().await.ok().map(Room)
    }

    pub(super) async fn send(&self, message: &FromRunner, body: &[u8]) {
        if let Some(room) = self.reserve().await {
            room.send(message, body);
        }
    }

    /// Waits until everything sent so far can no longer be lost by this process's death.
    pub(super) async fn written(&self) {
        let (done, is_done) = oneshot::channel();
        if self.0.send(Outgoing::Written(done)).await.is_ok() {
            // An error means that the server is gone.
            let _gone = is_done.await;
        }
    }
}

/// Writes messages until the connection or the last outbox is closed.
pub(super) async fn write_all<W: AsyncWrite + Unpin>(
    mut queue: Queue,
    mut socket: FramedWrite<W, LengthDelimitedCodec>,
) -> std::io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut waiting = Vec::new();
        for outgoing in batch.drain(..) {
            match outgoing {
                Outgoing::Frame(frame) => socket.feed(frame).await?,
                Outgoing::Written(done) => waiting.push(done),
            }
        }
        SinkExt::<Bytes>::flush(&mut socket).await?;
        for done in waiting {
            // Nobody waits any more if the run was stopped meanwhile.
            let _stopped = done.send(());
        }
    }
    Ok(())
}
