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
    #[error("more of an exchange than there can be")]
    TooMuchHttp,
}

/// The runs that were given to a runner and have not ended.
#[derive(Default)]
pub(super) struct Followers(HashMap<RunId, Follower>);

struct Follower {
    events: mpsc::UnboundedSender<Event>,
    started: bool,
    /// Bytes of output that may come before we take some.
    window: usize,
    /// Exchanges that it may have, and those that it has.
    exchanges: u32,
    flows: HashMap<ExchangeId, Flow>,
}

/// What may still be said of an exchange.
struct Flow {
    /// Bytes of the request's body that may come before we take some.
    window: usize,
    /// Bytes of the response that were sent and have not been taken.
    owed: usize,
    /// Neither more of the body, nor a second end of it.
    complete: bool,
    dropped: bool,
}

impl Followers {
    /// What will be heard of a run.
    pub(super) fn add(&mut self, run: RunId, exchanges: u32) -> mpsc::UnboundedReceiver<Event> {
        let (events, receiver) = mpsc::unbounded_channel();
        let (window, flows) = (OUTPUT_WINDOW, HashMap::new());
        self.0.insert(run, Follower { events, started: false, window, exchanges, flows });
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
        if let Some(flow) = self.flow(run, exchange) {
            flow.window += bytes;
        }
    }

    /// So many bytes of the response are on their way.
    pub(super) fn http_sent(&mut self, run: RunId, exchange: ExchangeId, bytes: usize) {
        if let Some(flow) = self.flow(run, exchange) {
            flow.owed += bytes;
        }
    }

    fn flow(&mut self, run: RunId, exchange: ExchangeId) -> Option<&mut Flow> {
        self.0.get_mut(&run)?.flows.get_mut(&exchange)
    }

    /// Makes room for another exchange.
    pub(super) fn http_ended(&mut self, run: RunId, exchange: ExchangeId) {
        if let Some(follower) = self.0.get_mut(&run) {
            follower.flows.remove(&exchange);
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
        if !follower.get_mut().admit(&event)? {
            return Ok(());
        }
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
    /// Whether somebody is to hear of it.
    fn admit(&mut self, event: &Event) -> Result<bool, Breach> {
        match event {
            Event::Started { .. } if self.started => return Err(Breach::StartedTwice),
            Event::Started { primed } => {
                self.started = true;
                measure::instance(*primed);
            }
            Event::Output(_, bytes) if bytes.is_empty() => return Err(Breach::EmptyOutput),
            Event::Output(_, bytes) => {
                self.window = self.window.checked_sub(bytes.len()).ok_or(Breach::TooMuchOutput)?;
            }
            Event::Http(exchange, Said::Request(head), _) => {
                return self.admit_request(*exchange, head.size());
            }
            Event::Http(exchange, said, bytes) => {
                // What is said of an exchange that has just ended is heard by nobody.
                let Some(flow) = self.flows.get_mut(exchange) else { return Ok(false) };
                flow.admit(said, bytes.len()).ok_or(Breach::TooMuchHttp)?;
            }
            Event::Ended(..) => {}
        }
        Ok(true)
    }

    fn admit_request(&mut self, exchange: ExchangeId, size: usize) -> Result<bool, Breach> {
        if size > MAX_HEAD {
            return Err(Breach::TooLargeHead);
        }
        let room = u32::try_from(self.flows.len()).is_ok_and(|had| had < self.exchanges);
        let flow = Flow { window: HTTP_WINDOW, owed: 0, complete: false, dropped: false };
        let known = self.flows.insert(exchange, flow).is_some();
        if room && !known { Ok(true) } else { Err(Breach::TooManyExchanges) }
    }
}

impl Flow {
    /// None when it is too much. Nothing can be said without end: a body keeps to its window and
    /// ends once, and nobody takes more than was sent.
    fn admit(&mut self, said: &Said, bytes: usize) -> Option<()> {
        match said {
            Said::Body if bytes > 0 && !self.complete => {
                self.window = self.window.checked_sub(bytes)?;
            }
            Said::Complete | Said::Aborted if !self.complete => self.complete = true,
            Said::Taken(taken) if *taken > 0 => {
                self.owed = self.owed.checked_sub(usize::try_from(*taken).ok()?)?;
            }
            Said::Dropped if !self.dropped => self.dropped = true,
            _ => return None,
        }
        Some(())
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
        assert_eq!((body(HTTP_WINDOW), body(1)), (Ok(()), Err(Breach::TooMuchHttp)));
    }

    #[test]
    fn nothing_is_said_of_an_exchange_without_end() {
        let ends: [fn() -> Said; 2] = [|| Said::Complete, || Said::Dropped];
        for end in ends {
            let mut followers = Followers::default();
            let _events = followers.add(RUN, 1);
            assert_eq!(say(&mut followers, 0, asks("http://a.test/")), Ok(()));
            assert_eq!(say(&mut followers, 0, end()), Ok(()));
            assert_eq!(say(&mut followers, 0, end()), Err(Breach::TooMuchHttp));
        }
    }

    #[test]
    fn nobody_takes_more_than_was_sent() {
        let mut followers = Followers::default();
        let _events = followers.add(RUN, 1);
        assert_eq!(say(&mut followers, 0, asks("http://a.test/")), Ok(()));
        followers.http_sent(RUN, 0, 5);
        assert_eq!(say(&mut followers, 0, Said::Taken(3)), Ok(()));
        assert_eq!(say(&mut followers, 0, Said::Taken(3)), Err(Breach::TooMuchHttp));
        assert_eq!(say(&mut followers, 0, Said::Taken(0)), Err(Breach::TooMuchHttp));
    }

    #[test]
    fn what_is_said_of_an_exchange_that_has_ended_is_heard_by_nobody() {
        let mut followers = Followers::default();
        let mut events = followers.add(RUN, 1);
        assert_eq!(say(&mut followers, 7, Said::Dropped), Ok(()));
        assert!(events.try_recv().is_err());
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
