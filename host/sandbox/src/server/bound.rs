//! A runner that serves a tenant: the socket shared by its runs.
//!
//! What a bound runner sends is untrusted: its guest may have escaped the
//! engine. It can lie about its own runs and nothing else; more than it may say of
//! them ([`followers`](super::followers)), or anything that cannot be decoded, ends it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attune_domain::id::TenantId;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::followers::{Event, Followers};
use super::measure;
use super::process::{Process, Unbound, hostile_codec};
use crate::protocol::{ExchangeId, MAX_FRAME_TO_RUNNER, RunId, ToRunner, codec, decode, encode};

/// One runner of one tenant.
pub(super) struct Bound {
    pub(super) tenant: TenantId,
    /// Runs that were given to it and have not ended.
    pub(super) busy: AtomicUsize,
    /// It is given no more, so that it makes room for another tenant.
    pub(super) yielding: AtomicBool,
    /// When it was last given one, on the pool's own clock of events.
    pub(super) last_used: AtomicU64,
    pub(super) idle_since: Mutex<tokio::time::Instant>,
    outbox: mpsc::UnboundedSender<Bytes>,
    next_run: AtomicU64,
    live: Mutex<Live>,
}

/// What ends with the process.
struct Live {
    /// None once it has died.
    process: Option<Process>,
    runs: Followers,
}

impl Bound {
    /// Starts to listen to a runner that has just been bound; `died` is called once.
    pub(super) fn new(
        unbound: Unbound,
        tenant: TenantId,
        died: impl FnOnce() + Send + 'static,
    ) -> Arc<Bound> {
        let parts = unbound.socket.into_parts();
        let (reader, writer) = parts.io.into_split();
        let mut reader = FramedRead::new(reader, hostile_codec());
        reader.read_buffer_mut().extend_from_slice(&parts.read_buf);
        let (outbox, queue) = mpsc::unbounded_channel();
        let bound = Arc::new(Bound {
            tenant,
            busy: AtomicUsize::new(0),
            yielding: AtomicBool::new(false),
            last_used: AtomicU64::new(0),
            idle_since: Mutex::new(tokio::time::Instant::now()),
            outbox,
            next_run: AtomicU64::new(0),
            live: Mutex::new(Live { process: Some(unbound.process), runs: Followers::default() }),
        });
        tokio::spawn(write_all(queue, FramedWrite::new(writer, codec(MAX_FRAME_TO_RUNNER))));
        let listener = bound.clone();
        tokio::spawn(async move {
            let reason = listener.listen(reader).await;
            listener.bury(&reason);
            died();
        });
        bound
    }

    pub(super) fn is_alive(&self) -> bool {
        self.live().process.as_ref().is_some_and(|process| !process.was_killed())
    }

    /// A number for a run that may have so many exchanges at once, and what will be heard of it; none if the runner has died.
    pub(super) fn follow(&self, exchanges: u32) -> Option<(RunId, mpsc::UnboundedReceiver<Event>)> {
        let run = self.next_run.fetch_add(1, Ordering::Relaxed);
        let mut live = self.live();
        live.process.as_ref()?;
        Some((run, live.runs.add(run, exchanges)))
    }

    pub(super) fn forget(&self, run: RunId) {
        self.live().runs.remove(run);
    }

    /// Tells the runner something; what a dead one is told is lost.
    pub(super) fn send(&self, message: &ToRunner, body: &[u8]) {
        let _dead = self.outbox.send(encode(message, body));
    }

    /// Lets the run write so many bytes more.
    pub(super) fn consumed(&self, run: RunId, bytes: usize) {
        self.live().runs.consumed(run, bytes);
        self.send(&ToRunner::Consumed { run, bytes: bytes as u64 }, &[]);
    }

    /// Lets an exchange send so many bytes more.
    pub(super) fn http_taken(&self, run: RunId, exchange: ExchangeId, bytes: usize) {
        self.live().runs.http_taken(run, exchange, bytes);
    }

    /// So many bytes of a response are on their way.
    pub(super) fn http_sent(&self, run: RunId, exchange: ExchangeId, bytes: usize) {
        self.live().runs.http_sent(run, exchange, bytes);
    }

    /// Makes room for another exchange.
    pub(super) fn http_ended(&self, run: RunId, exchange: ExchangeId) {
        self.live().runs.http_ended(run, exchange);
    }

    /// Ends the process; its runs end as lost.
    pub(super) fn kill(&self) {
        if let Some(process) = &mut self.live().process {
            process.kill();
        }
    }

    async fn listen(&self, mut reader: Reader) -> String {
        while let Some(frame) = reader.next().await {
            let heard = frame
                .map_err(|error| error.to_string())
                .and_then(|frame| decode(frame).map_err(|error| error.to_string()))
                .and_then(|(message, body)| {
                    self.live().runs.hear(message, body).map_err(|breach| breach.to_string())
                });
            if let Err(problem) = heard {
                return problem;
            }
        }
        "it hung up".to_owned()
    }

    fn bury(&self, reason: &str) {
        let (process, runs) = {
            let mut live = self.live();
            (live.process.take(), std::mem::take(&mut live.runs))
        };
        let Some(process) = process else { return };
        if !process.was_killed() {
            measure::death();
        }
        // Whoever had it killed has said why.
        if runs.len() > 0 && !process.was_killed() {
            tracing::warn!(pid = process.id(), tenant = %self.tenant, runs = runs.len(), reason,
                "a runner died");
        }
        drop(runs);
        // Reaping and cleaning up may wait for the disk.
        tokio::task::spawn_blocking(move || drop(process));
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Reader = FramedRead<OwnedReadHalf, LengthDelimitedCodec>;
type Writer = FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>;

/// Ends when the runner does not read any more; `listen` notices that it is gone.
async fn write_all(mut queue: mpsc::UnboundedReceiver<Bytes>, mut writer: Writer) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, 32).await > 0 {
        for frame in batch.drain(..) {
            if writer.feed(frame).await.is_err() {
                return;
            }
        }
        if SinkExt::<Bytes>::flush(&mut writer).await.is_err() {
            return;
        }
    }
}
