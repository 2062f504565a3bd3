//! Who follows the runs of a runner, and how much it may say of each.
//!
//! The channels to the followers have no bound of their own, so that a slow follower holds up
//! nobody else's messages. What bounds them stands here: a run starts once, ends once, and in
//! between writes as many bytes as its window has room for, at least one with each message.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use attune_domain::runner::Stream;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::measure;
use crate::protocol::{FromRunner, OUTPUT_WINDOW, Report, RunId};

/// What a runner says about one run. The end of the channel is the end of the runner.
#[derive(Debug)]
pub(super) enum Event {
    Started { primed: bool },
    Output(Stream, Bytes),
    Ended(Report, Bytes),
}

/// Why a runner cannot be trusted any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Breach {
    #[error("unexpected message: {0}")]
    Unexpected(String),
    #[error("a run started twice")]
    StartedTwice,
    #[error("output of no bytes")]
    EmptyOutput,
    #[error("more output than was asked for")]
    TooMuchOutput,
}

/// The runs that were given to a runner and have not ended.
#[derive(Default)]
pub(super) struct Followers(HashMap<RunId, Follower>);

struct Follower {
    events: mpsc::UnboundedSender<Event>,
    started: bool,
    /// Bytes of output that may come before we take some.
    window: usize,
}

impl Followers {
    /// What will be heard of a run.
    pub(super) fn add(&mut self, run: RunId) -> mpsc::UnboundedReceiver<Event> {
        let (events, receiver) = mpsc::unbounded_channel();
        self.0.insert(run, Follower { events, started: false, window: OUTPUT_WINDOW });
        receiver
    }

    pub(super) fn remove(&mut self, run: RunId) {
        self.0.remove(&run);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Lets the run write so many bytes more.
    pub(super) fn consumed(&mut self, run: RunId, bytes: usize) {
        if let Some(follower) = self.0.get_mut(&run) {
            follower.window += bytes;
        }
    }

    /// Passes a message on. A run that nobody follows any more still ends.
    pub(super) fn hear(&mut self, message: FromRunner, body: Bytes) -> Result<(), Breach> {
        let (run, event) = match message {
            FromRunner::Started { run, primed } => (run, Event::Started { primed }),
            FromRunner::Output { run, stream } => (run, Event::Output(stream, body)),
            FromRunner::Ended { run, report } => (run, Event::Ended(report, body)),
            other => return Err(Breach::Unexpected(format!("{other:?}"))),
        };
        let Entry::Occupied(mut follower) = self.0.entry(run) else { return Ok(()) };
        follower.get_mut().admit(&event)?;
        // Nothing follows an end.
        let ended = matches!(event, Event::Ended(..));
        let _nobody_listens = follower.get().events.send(event);
        if ended {
            follower.remove();
        }
        Ok(())
    }
}

impl Follower {
    fn admit(&mut self, event: &Event) -> Result<(), Breach> {
        match event {
            Event::Started { .. } if self.started => Err(Breach::StartedTwice),
            Event::Started { primed } => {
                self.started = true;
                measure::instance(*primed);
                Ok(())
            }
            Event::Output(_, bytes) if bytes.is_empty() => Err(Breach::EmptyOutput),
            Event::Output(_, bytes) => {
                self.window = self.window.checked_sub(bytes.len()).ok_or(Breach::TooMuchOutput)?;
                Ok(())
            }
            Event::Ended(..) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use attune_domain::runner::Usage;

    use super::*;
    use crate::protocol::End;

    const RUN: RunId = 1;

    fn output(followers: &mut Followers, bytes: usize) -> Result<(), Breach> {
        let message = FromRunner::Output { run: RUN, stream: Stream::Stdout };
        followers.hear(message, vec![b'x'; bytes].into())
    }

    fn end(followers: &mut Followers) -> Result<(), Breach> {
        let (end, usage) = (End::Answered, Usage::default());
        let report = Report { end, usage, stdout_dropped: 0, stderr_dropped: 0 };
        followers.hear(FromRunner::Ended { run: RUN, report }, Bytes::new())
    }

    #[test]
    fn a_run_starts_once() {
        let mut followers = Followers::default();
        let _events = followers.add(RUN);
        let mut start =
            || followers.hear(FromRunner::Started { run: RUN, primed: true }, Bytes::new());
        assert_eq!((start(), start()), (Ok(()), Err(Breach::StartedTwice)));
    }

    #[test]
    fn output_has_bytes_and_no_more_than_the_window() {
        let mut followers = Followers::default();
        let _events = followers.add(RUN);
        assert_eq!(output(&mut followers, 0), Err(Breach::EmptyOutput));
        assert_eq!(output(&mut followers, OUTPUT_WINDOW), Ok(()));
        assert_eq!(output(&mut followers, 1), Err(Breach::TooMuchOutput));
        followers.consumed(RUN, 1);
        assert_eq!(output(&mut followers, 1), Ok(()));
    }

    #[test]
    fn nothing_is_taken_after_the_first_end() {
        let mut followers = Followers::default();
        let mut events = followers.add(RUN);
        for _ in 0..3 {
            assert_eq!(end(&mut followers), Ok(()));
        }
        assert!(matches!(events.try_recv(), Ok(Event::Ended(..))));
        assert!(events.try_recv().is_err());
        assert_eq!(followers.len(), 0);
    }

    #[test]
    fn what_belongs_to_no_run_is_a_breach() {
        let heard = Followers::default().hear(FromRunner::Bound(Ok(())), Bytes::new());
        assert!(matches!(heard, Err(Breach::Unexpected(_))));
    }
}
