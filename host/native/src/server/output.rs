//! What a program writes, on its way to the sink.
//!
//! Bytes beyond `Limits::stream_bytes` of each stream are counted and dropped; with
//! `Limits::output_bytes` in all, it is over. What is not read yet waits in the program's pipes,
//! so that a slow sink slows the program.

use std::io;
use std::os::fd::AsFd;

use attune_domain::limits::Limits;
use attune_domain::runner::{OutputSink, Stream};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio_util::sync::CancellationToken;

/// As much as a pipe holds.
const PIECE: usize = 64 << 10;

/// How much a run wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) written: u64,
    pub(super) stdout_dropped: u64,
    pub(super) stderr_dropped: u64,
}

/// More was written than `Limits::output_bytes`.
#[derive(Debug, PartialEq, Eq)]
struct OverLimit;

/// What is told to, and by, whoever follows the run.
pub(super) struct Signals {
    /// Nothing of the program is alive: what is in the pipes is all there will be.
    pub(super) ended: CancellationToken,
    /// The program is to be ended.
    pub(super) over_limit: CancellationToken,
}

/// Reads both streams until they end, or the run does.
pub(super) async fn copy(
    mut stdout: Receiver,
    mut stderr: Receiver,
    limits: &Limits,
    sink: &mut dyn OutputSink,
    signals: &Signals,
) -> Totals {
    let mut count = Count::new(limits);
    let copied = copy_counted([&mut stdout, &mut stderr], &mut count, sink, signals).await;
    if copied == Err(OverLimit) {
        // Who goes on writing is told by the closed pipes as well.
        signals.over_limit.cancel();
    }
    count.totals()
}

async fn copy_counted(
    [stdout, stderr]: [&mut Receiver; 2],
    count: &mut Count,
    sink: &mut dyn OutputSink,
    signals: &Signals,
) -> Result<(), OverLimit> {
    let (mut out, mut err) = (BytesMut::new(), BytesMut::new());
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        out.reserve(PIECE);
        err.reserve(PIECE);
        let (stream, bytes, open, end) = tokio::select! {
            read = stdout.read_buf(&mut out), if out_open =>
                (Stream::Stdout, &mut out, &mut out_open, !matches!(read, Ok(1..))),
            read = stderr.read_buf(&mut err), if err_open =>
                (Stream::Stderr, &mut err, &mut err_open, !matches!(read, Ok(1..))),
            () = signals.ended.cancelled() => break,
        };
        *open = !end;
        pass(stream, bytes.split().freeze(), count, sink).await?;
    }
    // Descriptors in flight can hold a pipe open for longer than anybody lives.
    rest(Stream::Stdout, stdout, out_open, count, sink).await?;
    rest(Stream::Stderr, stderr, err_open, count, sink).await
}

/// What is in a pipe now.
async fn rest(
    stream: Stream,
    pipe: &Receiver,
    open: bool,
    count: &mut Count,
    sink: &mut dyn OutputSink,
) -> Result<(), OverLimit> {
    if !open {
        return Ok(());
    }
    let mut piece = vec![0; PIECE];
    while let Ok(read @ 1..) = read_now(pipe, &mut piece) {
        pass(stream, Bytes::copy_from_slice(&piece[..read]), count, sink).await?;
    }
    Ok(())
}

/// Without asking tokio, which may not have heard yet that there is something.
fn read_now(pipe: &Receiver, piece: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(pipe.as_fd(), piece)?)
}

async fn pass(
    stream: Stream,
    bytes: Bytes,
    count: &mut Count,
    sink: &mut dyn OutputSink,
) -> Result<(), OverLimit> {
    let (kept, result) = count.take(stream, bytes);
    if !kept.is_empty() {
        sink.write(stream, kept).await;
    }
    result
}

struct Count {
    stream_limit: u64,
    output_limit: u64,
    written: u64,
    stdout: Kept,
    stderr: Kept,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    kept: u64,
    dropped: u64,
}

impl Count {
    fn new(limits: &Limits) -> Count {
        Count {
            stream_limit: limits.stream_bytes,
            output_limit: limits.output_bytes,
            written: 0,
            stdout: Kept::default(),
            stderr: Kept::default(),
        }
    }

    /// What is to be kept of some bytes.
    fn take(&mut self, stream: Stream, mut bytes: Bytes) -> (Bytes, Result<(), OverLimit>) {
        let allowed = self.output_limit.saturating_sub(self.written);
        let size = bytes.len() as u64;
        self.written += size;
        bytes.truncate(clipped(size, allowed));
        let counts = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let accepted = bytes.len() as u64;
        bytes.truncate(clipped(accepted, self.stream_limit.saturating_sub(counts.kept)));
        counts.kept += bytes.len() as u64;
        counts.dropped += accepted - bytes.len() as u64;
        (bytes, if accepted < size { Err(OverLimit) } else { Ok(()) })
    }

    fn totals(&self) -> Totals {
        Totals {
            written: self.written,
            stdout_dropped: self.stdout.dropped,
            stderr_dropped: self.stderr.dropped,
        }
    }
}

fn clipped(size: u64, limit: u64) -> usize {
    usize::try_from(size.min(limit)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(stream_limit: u64, output_limit: u64) -> Count {
        let limits =
            Limits { stream_bytes: stream_limit, output_bytes: output_limit, ..Limits::default() };
        Count::new(&limits)
    }

    #[test]
    fn each_stream_keeps_so_much_and_counts_the_rest() {
        let mut count = count(3, 100);
        assert_eq!(count.take(Stream::Stdout, "abcde".into()), ("abc".into(), Ok(())));
        assert_eq!(count.take(Stream::Stdout, "f".into()), ("".into(), Ok(())));
        assert_eq!(count.take(Stream::Stderr, "xyz".into()), ("xyz".into(), Ok(())));
        let expected = Totals { written: 9, stdout_dropped: 3, stderr_dropped: 0 };
        assert_eq!(count.totals(), expected);
    }

    #[test]
    fn the_write_over_the_limit_is_the_last_and_keeps_what_fits() {
        let mut count = count(100, 4);
        assert_eq!(count.take(Stream::Stdout, "abc".into()), ("abc".into(), Ok(())));
        assert_eq!(count.take(Stream::Stderr, "def".into()), ("d".into(), Err(OverLimit)));
    }
}
