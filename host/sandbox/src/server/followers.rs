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
use crate::protocol::{
    ExchangeId, FromRunner, HTTP_WINDOW, MAX_HEAD, OUTPUT_WINDOW, Report, RunId, Said,
};

/// What a runner says about one run. The end of the channel is the end of the runner.
#[derive(Debug)]
pub(super) enum Event {
    Started { primed: bool },
    Output(Stream, Bytes),
    Http(ExchangeId, Said, Bytes),
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
    #[error("more exchanges than the run may have, or one that it has already")]
    TooManyExchanges,
    #[error("the head of a request is too large")]
    TooLargeHead,
    #[error("more of a request's body than was asked for")]
    TooMuchBody,
}

/// The runs that were given to a runner and have not ended.
#[derive(Default)]
pub(super) struct Followers(HashMap<RunId, Follower>);

struct Follower {
    events: mpsc::UnboundedSender<Event>,
    started: bool,
    /// Bytes of output that may come before we take some.
    window: usize,
    /// Exchanges that it may have, and bytes that may come of those that it has.
    exchanges: u32,
    bodies: HashMap<ExchangeId, usize>,
}

impl Followers {
    /// What will be heard of a run.
    pub(super) fn add(&mut self, run: RunId, exchanges: u32) -> mpsc::UnboundedReceiver<Event> {
        let (events, receiver) = mpsc::unbounded_channel();
        let (window, bodies) = (OUTPUT_WINDOW, HashMap::new());
        self.0.insert(run, Follower { events, started: false, window, exchanges, bodies });
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

    /// Lets an exchange send so many bytes more.
    pub(super) fn http_taken(&mut self, run: RunId, exchange: ExchangeId, bytes: usize) {
        let window = self.0.get_mut(&run).and_then(|run| run.bodies.get_mut(&exchange));
        if let Some(window) = window {
            *window += bytes;
        }
    }

    /// Makes room for another exchange.
    pub(super) fn http_ended(&mut self, run: RunId, exchange: ExchangeId) {
        if let Some(follower) = self.0.get_mut(&run) {
            follower.bodies.remove(&exchange);
        }
    }

    /// Passes a message on. A run that nobody follows any more still ends.
    pub(super) fn hear(&mut self, message: FromRunner, body: Bytes) -> Result<(), Breach> {
        let (run, event) = match message {
            FromRunner::Started { run, primed } => (run, Event::Started { primed }),
            FromRunner::Output { run, stream } => (run, Event::Output(stream, body)),
            FromRunner::Http { run, exchange, said } => (run, Event::Http(exchange, said, body)),
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
            Event::Http(exchange, said, bytes) => self.admit_http(*exchange, said, bytes.len()),
            Event::Ended(..) => Ok(()),
        }
    }

    /// What is said of an exchange that has ended meanwhile is passed on, and heard by nobody.
    fn admit_http(
        &mut self,
        exchange: ExchangeId,
        said: &Said,
        bytes: usize,
    ) -> Result<(), Breach> {
        match said {
            Said::Request(head) if head.size() > MAX_HEAD => Err(Breach::TooLargeHead),
            Said::Request(_) => {
                let room = u32::try_from(self.bodies.len()).is_ok_and(|had| had < self.exchanges);
                let known = self.bodies.insert(exchange, HTTP_WINDOW).is_some();
                if room && !known { Ok(()) } else { Err(Breach::TooManyExchanges) }
            }
            Said::Body => {
                let Some(window) = self.bodies.get_mut(&exchange) else { return Ok(()) };
                *window = window.checked_sub(bytes).ok_or(Breach::TooMuchBody)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use attune_domain::egress::Patience;
    use attune_domain::runner::Usage;

    use super::*;
    use crate::protocol::{End, RequestHead};

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
        let _events = followers.add(RUN, 1);
        let mut start =
            || followers.hear(FromRunner::Started { run: RUN, primed: true }, Bytes::new());
        assert_eq!((start(), start()), (Ok(()), Err(Breach::StartedTwice)));
    }

    #[test]
    fn output_has_bytes_and_no_more_than_the_window() {
        let mut followers = Followers::default();
        let _events = followers.add(RUN, 1);
        assert_eq!(output(&mut followers, 0), Err(Breach::EmptyOutput));
        assert_eq!(output(&mut followers, OUTPUT_WINDOW), Ok(()));
        assert_eq!(output(&mut followers, 1), Err(Breach::TooMuchOutput));
        followers.consumed(RUN, 1);
        assert_eq!(output(&mut followers, 1), Ok(()));
    }

    fn say(followers: &mut Followers, exchange: ExchangeId, said: Said) -> Result<(), Breach> {
        followers.hear(FromRunner::Http { run: RUN, exchange, said }, Bytes::new())
    }

    fn asks(uri: &str) -> Said {
        Said::Request(RequestHead {
            method: "GET".to_owned(),
            uri: uri.to_owned(),
            fields: Vec::new(),
            has_body: true,
            patience: Patience::default(),
        })
    }

    #[test]
    fn a_run_has_so_many_exchanges_at_once() {
        let mut followers = Followers::default();
        let _events = followers.add(RUN, 1);
        assert_eq!(say(&mut followers, 0, asks("http://a.test/")), Ok(()));
        let dropped = say(&mut followers, 0, Said::Dropped);
        assert_eq!(dropped, Ok(()));
        let second = say(&mut followers, 1, asks("http://a.test/"));
        assert_eq!(second, Err(Breach::TooManyExchanges));
        followers.http_ended(RUN, 0);
        followers.http_ended(RUN, 1);
        assert_eq!(say(&mut followers, 2, asks("http://a.test/")), Ok(()));
    }

    #[test]
    fn a_request_keeps_to_its_bounds() {
        let mut followers = Followers::default();
        let _events = followers.add(RUN, 1);
        let large = asks(&"x".repeat(MAX_HEAD + 1));
        assert_eq!(say(&mut followers, 0, large), Err(Breach::TooLargeHead));
        assert_eq!(say(&mut followers, 0, asks("http://a.test/")), Ok(()));
        let mut body = |bytes: usize| {
            let message = FromRunner::Http { run: RUN, exchange: 0, said: Said::Body };
            followers.hear(message, vec![0; bytes].into())
        };
        assert_eq!((body(HTTP_WINDOW), body(1)), (Ok(()), Err(Breach::TooMuchBody)));
    }

    #[test]
    fn nothing_is_taken_after_the_first_end() {
        let mut followers = Followers::default();
        let mut events = followers.add(RUN, 1);
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
