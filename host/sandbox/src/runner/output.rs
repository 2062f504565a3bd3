//! What a guest writes, on its way to the server.
//!
//! Bytes wait here until the guest flushes and then waits or is interrupted, until it
//! ends, or until enough of them have gathered; and then until the server has
//! taken enough of what was sent before ([`OUTPUT_WINDOW`]). Bytes beyond `Limits::stream_bytes` are counted and
//! dropped, and never cross the socket.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attune_domain::limits::Limits;
use attune_domain::runner::Stream;
use bytes::BytesMut;
use tokio::sync::Notify;

use super::outbox::Outbox;
use crate::protocol::{FromRunner, OUTPUT_WINDOW, RunId};

/// When so many bytes have gathered, the guest waits until they are sent.
const GATHER: usize = 8 << 10;
/// The largest body of one message.
const MESSAGE: usize = 32 << 10;

/// More was written than `Limits::output_bytes`.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the output limit was reached")]
pub(crate) struct OverLimit;

/// The output of one run, both streams in the order in which they were written.
#[derive(Clone)]
pub(crate) struct Output(Arc<Shared>);

struct Shared {
    run: RunId,
    outbox: Outbox,
    state: Mutex<State>,
    flush: Notify,
    consumed: Notify,
    room: Notify,
}

struct State {
    stream_limit: u64,
    output_limit: u64,
    written: u64,
    stdout: Kept,
    stderr: Kept,
    gathered: VecDeque<(Stream, BytesMut)>,
    gathered_bytes: usize,
    window: usize,
}

/// What is to be sent next.
enum Next {
    Message(Stream, BytesMut),
    /// The server has to take some of what was sent before.
    NoRoom,
    Nothing,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    kept: u64,
    dropped: u64,
}

/// How much a run wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) written: u64,
    pub(crate) stdout_dropped: u64,
    pub(crate) stderr_dropped: u64,
}

impl Output {
    pub(crate) fn new(run: RunId, limits: &Limits, outbox: Outbox) -> Output {
        let state = Mutex::new(State::new(limits));
        let (flush, consumed, room) = (Notify::new(), Notify::new(), Notify::new());
        Output(Arc::new(Shared { run, outbox, state, flush, consumed, room }))
    }

    /// Takes what a guest wrote, as far as it is to be kept.
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) -> Result<(), OverLimit> {
        self.state().write(stream, bytes)
    }

    /// Asks for everything to be sent as soon as the guest gives the thread back.
    ///
    /// Not at once: a guest flushes after each line, and most write a few lines and end
    /// within the millisecond.
    pub(crate) fn flush(&self) {
        self.0.flush.notify_one();
    }

    /// Whether the guest must wait before it can write more.
    pub(crate) fn is_full(&self) -> bool {
        self.state().gathered_bytes >= GATHER
    }

    /// Waits until the guest can write more.
    ///
    /// It leaves the sending to [`Output::send_when_asked`]: a guest that is not driven for
    /// a while must not hold the way to the server meanwhile.
    pub(crate) async fn until_not_full(&self) {
        loop {
            // Listen before looking, so that nothing in between is missed.
            let mut room = pin!(self.0.room.notified());
            room.as_mut().enable();
            if !self.is_full() {
                return;
            }
            self.flush();
            room.await;
        }
    }

    /// Sends whenever the guest has asked for it; never returns.
    pub(crate) async fn send_when_asked(&self) -> Infallible {
        loop {
            self.0.flush.notified().await;
            self.send().await;
        }
    }

    /// Hands everything over, to be written together with the message that follows.
    pub(crate) async fn finish(&self) -> Totals {
        self.hand_over().await;
        let state = self.state();
        Totals {
            written: state.written,
            stdout_dropped: state.stdout.dropped,
            stderr_dropped: state.stderr.dropped,
        }
    }

    /// Dropping the future loses nothing. Without a server there is nothing to do:
    /// this process ends soon.
    async fn send(&self) {
        self.hand_over().await;
        if let Ok(turn) = self.0.outbox.turn().await {
            let _gone = turn.write().await;
        }
    }

    /// Empties the state into the outbox, waiting for the server to take what fills its window.
    async fn hand_over(&self) {
        loop {
            // The turn first: what is taken out of the state must reach the outbox.
            let Ok(mut turn) = self.0.outbox.turn().await else { return };
            // Listen before looking, so that nothing in between is missed.
            let mut consumed = pin!(self.0.consumed.notified());
            consumed.as_mut().enable();
            // Bound on its own, so that the lock is not held while waiting.
            let next = self.state().next();
            match next {
                Next::Message(stream, bytes) => {
                    let message = FromRunner::Output { run: self.0.run, stream };
                    if turn.put(&message, &bytes).is_err() {
                        return;
                    }
                    self.0.room.notify_waiters();
                }
                Next::NoRoom => {
                    // What the server is to take must have been written.
                    let _gone = turn.write().await;
                    consumed.await;
                }
                Next::Nothing => return,
            }
        }
    }

    /// The server has taken so many bytes.
    pub(crate) fn consumed(&self, bytes: u64) {
        let mut state = self.state();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        state.window = state.window.saturating_add(bytes).min(OUTPUT_WINDOW);
        self.0.consumed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(limits: &Limits) -> State {
        State {
            stream_limit: limits.stream_bytes,
            output_limit: limits.output_bytes,
            written: 0,
            stdout: Kept::default(),
            stderr: Kept::default(),
            gathered: VecDeque::new(),
            gathered_bytes: 0,
            window: OUTPUT_WINDOW,
        }
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), OverLimit> {
        let allowed = self.output_limit.saturating_sub(self.written);
        let accepted = clip(bytes, allowed);
        self.written += bytes.len() as u64;
        self.keep(stream, accepted);
        if accepted.len() < bytes.len() { Err(OverLimit) } else { Ok(()) }
    }

    fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        let limit = self.stream_limit;
        let counts = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let kept = clip(bytes, limit.saturating_sub(counts.kept));
        counts.kept += kept.len() as u64;
        counts.dropped += (bytes.len() - kept.len()) as u64;
        if kept.is_empty() {
            return;
        }
        self.gathered_bytes += kept.len();
        match self.gathered.back_mut() {
            Some((last, buffer)) if *last == stream => buffer.extend_from_slice(kept),
            _ => self.gathered.push_back((stream, BytesMut::from(kept))),
        }
    }

    /// Takes the next message out, if the window has room for any of it.
    fn next(&mut self) -> Next {
        let Some((stream, buffer)) = self.gathered.front_mut() else { return Next::Nothing };
        let size = buffer.len().min(MESSAGE).min(self.window);
        if size == 0 {
            return Next::NoRoom;
        }
        let message = Next::Message(*stream, buffer.split_to(size));
        if buffer.is_empty() {
            self.gathered.pop_front();
        }
        self.window -= size;
        self.gathered_bytes -= size;
        message
    }
}

fn clip(bytes: &[u8], limit: u64) -> &[u8] {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    bytes.get(..limit).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::codec::FramedWrite;

    use super::*;
    use crate::protocol::codec;

    /// Everything that may be sent now.
    fn messages(state: &mut State) -> Vec<(Stream, BytesMut)> {
        std::iter::from_fn(|| match state.next() {
            Next::Message(stream, bytes) => Some((stream, bytes)),
            Next::NoRoom | Next::Nothing => None,
        })
        .collect()
    }

    fn state(stream_limit: u64, output_limit: u64) -> State {
        let limits =
            Limits { stream_bytes: stream_limit, output_bytes: output_limit, ..Limits::default() };
        State::new(&limits)
    }

    #[test]
    fn streams_stay_in_order_and_neighbours_are_joined() {
        let mut state = state(100, 100);
        for (stream, text) in [
            (Stream::Stdout, "a"),
            (Stream::Stdout, "b"),
            (Stream::Stderr, "c"),
            (Stream::Stdout, "d"),
        ] {
            state.write(stream, text.as_bytes()).unwrap();
        }
        let taken = messages(&mut state);
        let expected = [(Stream::Stdout, "ab"), (Stream::Stderr, "c"), (Stream::Stdout, "d")];
        assert_eq!(taken.len(), 3);
        for ((stream, bytes), (wanted, text)) in taken.into_iter().zip(expected) {
            assert_eq!((stream, &bytes[..]), (wanted, text.as_bytes()));
        }
    }

    #[test]
    fn each_stream_keeps_so_much_and_counts_the_rest() {
        let mut state = state(3, 100);
        state.write(Stream::Stdout, b"abcde").unwrap();
        state.write(Stream::Stdout, b"f").unwrap();
        state.write(Stream::Stderr, b"xyz").unwrap();
        assert_eq!((state.stdout.dropped, state.stderr.dropped, state.written), (3, 0, 9));
        assert_eq!(messages(&mut state)[0].1, "abc");
    }

    #[test]
    fn the_write_over_the_limit_fails_and_keeps_what_fits() {
        let mut state = state(100, 4);
        state.write(Stream::Stdout, b"abc").unwrap();
        assert!(state.write(Stream::Stderr, b"def").is_err());
        let kept = messages(&mut state);
        assert_eq!((&kept[0].1[..], &kept[1].1[..]), (&b"abc"[..], &b"d"[..]));
    }

    #[test]
    fn nothing_is_sent_beyond_the_window() {
        let mut state = state(1 << 20, 1 << 20);
        state.write(Stream::Stdout, &vec![0; OUTPUT_WINDOW + 5]).unwrap();
        let sent: usize = messages(&mut state).iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!((sent, state.gathered_bytes), (OUTPUT_WINDOW, 5));
        assert!(matches!(state.next(), Next::NoRoom));
        state.window = 10;
        assert_eq!(messages(&mut state)[0].1.len(), 5);
        assert!(matches!(state.next(), Next::Nothing));
    }

    /// One line more than the window holds: the guest goes on when the server has taken some.
    #[tokio::test]
    async fn a_guest_waits_for_room_and_no_longer() {
        let (socket, server) = tokio::net::UnixStream::pair().unwrap();
        let writer = FramedWrite::new(socket.into_split().1, codec(OUTPUT_WINDOW));
        let output = Output::new(1, &Limits::default(), Outbox::new(writer));
        let guest = async {
            for _ in 0..=OUTPUT_WINDOW / GATHER {
                output.write(Stream::Stdout, &[b'x'; GATHER]).unwrap();
                output.until_not_full().await;
            }
        };
        let reader = async {
            let mut taken = 0;
            while taken < OUTPUT_WINDOW / 2 {
                server.readable().await.unwrap();
                taken += server.try_read(&mut [0; GATHER]).unwrap_or(0);
            }
            output.consumed(taken as u64);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = guest => {}
            never = output.send_when_asked() => match never {},
            () = reader => {}
            () = tokio::time::sleep(Duration::from_secs(10)) => panic!("the guest is stuck"),
        }
        assert!(!output.is_full());
    }
}
