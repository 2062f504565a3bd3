//! A runner that serves a tenant: the socket shared by its runs.
//!
//! What a bound runner sends is untrusted: its guest may have escaped the
//! engine. It can lie about its own runs and nothing else; more output than its
//! window allows, or anything that cannot be decoded, ends it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attune_domain::id::TenantId;
use attune_domain::runner::Stream;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::process::{Process, Unbound, hostile_codec};
use crate::protocol::{
    FromRunner, MAX_FRAME_TO_RUNNER, OUTPUT_WINDOW, Report, RunId, ToRunner, codec, decode, encode,
};

/// What a runner says about one run. The end of the channel is the end of the runner.
pub(super) enum Event {
    Started,
    Output(Stream, Bytes),
    Ended(Report, Bytes),
}

/// One runner of one tenant.
pub(super) struct Bound {
    pub(super) tenant: TenantId,
    /// Runs that were given to it and have not ended.
    pub(super) busy: AtomicUsize,
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
    runs: HashMap<RunId, Followed>,
}

struct Followed {
    events: mpsc::UnboundedSender<Event>,
    /// Bytes of output it may send before we take some; what bounds the channel.
    window: usize,
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
            last_used: AtomicU64::new(0),
            idle_since: Mutex::new(tokio::time::Instant::now()),
            outbox,
            next_run: AtomicU64::new(0),
            live: Mutex::new(Live { process: Some(unbound.process), runs: HashMap::new() }),
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
        self.live().process.is_some()
    }

    /// A number for a run, and what will be heard of it; none if the runner has died.
    pub(super) fn follow(&self) -> Option<(RunId, mpsc::UnboundedReceiver<Event>)> {
        let run = self.next_run.fetch_add(1, Ordering::Relaxed);
        let (events, receiver) = mpsc::unbounded_channel();
        let mut live = self.live();
        live.process.as_ref()?;
        live.runs.insert(run, Followed { events, window: OUTPUT_WINDOW });
        Some((run, receiver))
    }

    pub(super) fn forget(&self, run: RunId) {
        self.live().runs.remove(&run);
    }

    /// Tells the runner something; what a dead one is told is lost.
    pub(super) fn send(&self, message: &ToRunner, body: &[u8]) {
        let _dead = self.outbox.send(encode(message, body));
    }

    /// Lets the run write so many bytes more.
    pub(super) fn consumed(&self, run: RunId, bytes: usize) {
        if let Some(followed) = self.live().runs.get_mut(&run) {
            followed.window += bytes;
        }
        self.send(&ToRunner::Consumed { run, bytes: bytes as u64 }, &[]);
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
                .and_then(|(message, body)| self.hear(message, body));
            if let Err(problem) = heard {
                return problem;
            }
        }
        "it hung up".to_owned()
    }

    /// Passes a message on; the error is why the runner cannot be trusted any more.
    fn hear(&self, message: FromRunner, body: Bytes) -> Result<(), String> {
        let (run, event) = match message {
            FromRunner::Started { run } => (run, Event::Started),
            FromRunner::Output { run, stream } => {
                self.take_window(run, body.len())?;
                (run, Event::Output(stream, body))
            }
            FromRunner::Ended { run, report } => (run, Event::Ended(report, body)),
            other => return Err(format!("unexpected message: {other:?}")),
        };
        // A run that nobody follows any more still ends.
        if let Some(followed) = self.live().runs.get(&run) {
            let _nobody_listens = followed.events.send(event);
        }
        Ok(())
    }

    fn take_window(&self, run: RunId, bytes: usize) -> Result<(), String> {
        let mut live = self.live();
        let Some(followed) = live.runs.get_mut(&run) else { return Ok(()) };
        let rest = followed.window.checked_sub(bytes);
        followed.window = rest.ok_or("more output than was asked for")?;
        Ok(())
    }

    fn bury(&self, reason: &str) {
        let (process, runs) = {
            let mut live = self.live();
            (live.process.take(), std::mem::take(&mut live.runs))
        };
        let Some(process) = process else { return };
        // Whoever had it killed has said why.
        if !runs.is_empty() && !process.was_killed() {
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
