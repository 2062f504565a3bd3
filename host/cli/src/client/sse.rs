//! Server-sent events, as far as the API uses them: `event`, `id` and `data` lines.

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use reqwest::Response;

use crate::failure::{Exit, Failure};

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The `event` line; empty when there was none.
    pub name: String,
    pub id: String,
    /// The `data` lines, joined by line feeds.
    pub data: String,
}

/// Events as they come, until the server ends the stream.
pub(crate) type Events = BoxStream<'static, Result<Event, Failure>>;

/// The events of one response.
pub(super) fn events(response: Response) -> Events {
    let parser = Parser::default();
    stream::try_unfold((response, parser), |(mut response, mut parser)| async move {
        let event = next(&mut response, &mut parser).await?;
        Ok(event.map(|event| (event, (response, parser))))
    })
    .boxed()
}

async fn next(response: &mut Response, parser: &mut Parser) -> Result<Option<Event>, Failure> {
    loop {
        if let Some(event) = parser.next_event() {
            return Ok(Some(event));
        }
        let chunk = response.chunk().await.map_err(|error| {
            Failure::new(Exit::Unreachable, format_args!("the stream broke: {error}"))
        })?;
        match chunk {
            Some(bytes) => parser.feed(&bytes),
            None => return Ok(None),
        }
    }
}

/// Takes bytes as they arrive and gives whole events.
#[derive(Default)]
struct Parser {
    /// What has come and is not parsed yet.
    pending: Vec<u8>,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole event; blocks without data (comments that keep the connection) are skipped.
    fn next_event(&mut self) -> Option<Event> {
        loop {
            let end = self.pending.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.pending.drain(..end + 2).collect();
            if let Some(event) = parse(&String::from_utf8_lossy(&block)) {
                return Some(event);
            }
        }
    }
}

fn parse(block: &str) -> Option<Event> {
    let mut event = Event::default();
    let mut data: Vec<&str> = Vec::new();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => value.clone_into(&mut event.id),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    (!data.is_empty() || !event.name.is_empty()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(chunks: &[&str]) -> Vec<Event> {
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for chunk in chunks {
            parser.feed(chunk.as_bytes());
            found.extend(std::iter::from_fn(|| parser.next_event()));
        }
        found
    }

    #[test]
    fn events_are_put_together_from_any_chunks() {
        let found =
            events(&["event: app", "end\nid: 7\ndata: one\nda", "ta: two\n", "\n: keep\n\n"]);
        let expected = Event { name: "append".into(), id: "7".into(), data: "one\ntwo".into() };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn an_unfinished_event_is_not_given() {
        assert_eq!(events(&["data: half\n"]), []);
    }
}
