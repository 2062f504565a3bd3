//! What a run writes: kept in the store in batches as it comes, and whole for the result.

use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::execution::Execution;
use attune_domain::execution::outcome::{self, Captured};
use attune_domain::notice::Notice;
use attune_domain::peer::Message;
use attune_domain::redaction::{RedactedStream, Redaction};
use attune_domain::runner::{OutputSink, RunReport, Stream};
use attune_domain::store::{LogChunk, StoreError, StoreResult};
use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, Notify};

use crate::commit;
use crate::shared::Shared;

/// Output that waits for this long is written to the store, so that it can be followed.
const FLUSH_AFTER: Duration = Duration::from_millis(100);
/// So many waiting bytes are written at once; the guest waits meanwhile.
const FLUSH_BYTES: usize = 256 << 10;

/// The output of one run. Memory holds at most [`FLUSH_BYTES`] of it and one chunk more.
pub(crate) struct OutputLog<'a> {
    shared: &'a Shared,
    execution: &'a Execution,
    waiting: Mutex<Waiting>,
    something_waits: Notify,
}

#[derive(Default)]
struct Waiting {
    secrets: Option<Secrets>,
    stdout: Tail,
    stderr: Tail,
    /// Handed to the store, which has not confirmed them: a flush may be dropped halfway.
    /// To write them twice does no harm.
    unconfirmed: Vec<LogChunk>,
}

/// What must not be kept of either stream.
struct Secrets {
    stdout: RedactedStream,
    stderr: RedactedStream,
}

impl Secrets {
    fn of(&mut self, stream: Stream) -> &mut RedactedStream {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// The end of a stream that was not handed to the store yet.
#[derive(Default)]
struct Tail {
    handed_over: u64,
    bytes: BytesMut,
}

impl Tail {
    fn length(&self) -> u64 {
        self.handed_over + self.bytes.len() as u64
    }

    fn take(&mut self, stream: Stream) -> Option<LogChunk> {
        if self.bytes.is_empty() {
            return None;
        }
        let bytes = self.bytes.split().freeze();
        let offset = self.handed_over;
        self.handed_over += bytes.len() as u64;
        Some(LogChunk { stream, offset, bytes })
    }
}

impl Waiting {
    fn tail(&mut self, stream: Stream) -> &mut Tail {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Takes what the run wrote, without the secrets in it.
    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        match &mut self.secrets {
            None => self.tail(stream).bytes.extend_from_slice(bytes),
            Some(secrets) => {
                let clean = secrets.of(stream).push(bytes);
                self.tail(stream).bytes.extend_from_slice(&clean);
            }
        }
    }

    /// Takes what was held back, for it might have become a secret.
    fn end(&mut self, report: &RunReport) {
        let Some(mut secrets) = self.secrets.take() else { return };
        self.stdout.bytes.extend_from_slice(&secrets.stdout.finish(report.stdout_dropped > 0));
        self.stderr.bytes.extend_from_slice(&secrets.stderr.finish(report.stderr_dropped > 0));
    }

    fn len(&self) -> usize {
        self.stdout.bytes.len() + self.stderr.bytes.len()
    }

    /// Everything that the store has not confirmed.
    fn unconfirmed(&mut self) -> &mut Vec<LogChunk> {
        let chunks = [self.stdout.take(Stream::Stdout), self.stderr.take(Stream::Stderr)];
        self.unconfirmed.extend(chunks.into_iter().flatten());
        &mut self.unconfirmed
    }
}

impl<'a> OutputLog<'a> {
    /// Keeps everything but what `redaction` looks for.
    pub(crate) fn new(
        shared: &'a Shared,
        execution: &'a Execution,
        redaction: Option<&Redaction>,
    ) -> OutputLog<'a> {
        let secrets =
            redaction.map(|secrets| Secrets { stdout: secrets.stream(), stderr: secrets.stream() });
        let waiting = Mutex::new(Waiting { secrets, ..Waiting::default() });
        OutputLog { shared, execution, waiting, something_waits: Notify::new() }
    }

    /// Where the runner writes to.
    pub(crate) fn sink(&'a self) -> Sink<'a> {
        Sink { log: self }
    }

    /// Writes waiting output to the store, a little later than it came, for ever.
    pub(crate) async fn flush_as_it_comes(&self) -> Infallible {
        loop {
            self.something_waits.notified().await;
            self.shared.clock.sleep(FLUSH_AFTER).await;
            self.flush(&mut *self.waiting.lock().await).await;
        }
    }

    /// The whole output, and the chunks that are not in the store yet: they belong
    /// into the commit that ends the run. A log that was truncated says so in its last line.
    pub(crate) async fn finish(
        self,
        stderr_path: String,
        report: &RunReport,
    ) -> StoreResult<(Captured, Vec<LogChunk>)> {
        let mut waiting = self.waiting.into_inner();
        waiting.end(report);
        let (all_out, all_err) = (waiting.stdout.length(), waiting.stderr.length());
        let mut log = std::mem::take(waiting.unconfirmed());
        let confirmed = |stream: Stream, all: u64| {
            let first = log.iter().find(|chunk| chunk.stream == stream);
            stored(self.shared, self.execution, stream, first.map_or(all, |chunk| chunk.offset))
        };
        let mut stdout = confirmed(Stream::Stdout, all_out).await?;
        let mut stderr = confirmed(Stream::Stderr, all_err).await?;
        for chunk in &log {
            match chunk.stream {
                Stream::Stdout => stdout.extend_from_slice(&chunk.bytes),
                Stream::Stderr => stderr.extend_from_slice(&chunk.bytes),
            }
        }
        let ends = [(Stream::Stdout, all_out), (Stream::Stderr, all_err)];
        log.extend(ends.into_iter().filter_map(|(stream, offset)| {
            let bytes = Bytes::from_static(outcome::truncation_notice(report, stream)?.as_bytes());
            Some(LogChunk { stream, offset, bytes })
        }));
        Ok((Captured { stdout, stderr, stderr_path }, log))
    }

    async fn flush(&self, waiting: &mut Waiting) {
        let log = waiting.unconfirmed().clone();
        if log.is_empty() {
            return;
        }
        let scope = Scope::of_execution(self.execution);
        let (id, fence) = (self.execution.id, self.execution.state.lease);
        let append = || self.shared.store.append_log(scope, id, fence, log.clone());
        match commit::for_sure(self.shared, append).await {
            Ok(()) => {
                waiting.unconfirmed.clear();
                let (tenant, execution) = (self.execution.tenant, self.execution.id);
                // An error means that nobody watches.
                let _ = self.shared.notices.send(Notice::Output { tenant, execution });
                self.shared.mouth.tell(Message::Output { tenant, execution });
            }
            // Taken over: it is another's to say what the run wrote.
            Err(StoreError::Conflict) => waiting.unconfirmed.clear(),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "output of a run was lost");
            }
        }
    }
}

/// The first `length` bytes of a stream, from the store.
async fn stored(
    shared: &Shared,
    execution: &Execution,
    stream: Stream,
    length: u64,
) -> StoreResult<Vec<u8>> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let scope = Scope::of_execution(execution);
    let read = || shared.store.read_log(scope, execution.id, stream, 0, length);
    Ok(commit::for_sure(shared, read).await?.to_vec())
}

/// The runner's end of an [`OutputLog`].
pub(crate) struct Sink<'a> {
    log: &'a OutputLog<'a>,
}

#[async_trait]
impl OutputSink for Sink<'_> {
    async fn write(&mut self, stream: Stream, bytes: Bytes) {
        let mut waiting = self.log.waiting.lock().await;
        waiting.take(stream, &bytes);
        if waiting.len() >= FLUSH_BYTES {
            self.log.flush(&mut waiting).await;
        } else {
            self.log.something_waits.notify_one();
        }
    }
}
