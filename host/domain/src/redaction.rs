//! Known secrets, taken out of what a run writes before anybody can read it.
//!
//! A run that prints what it was given in secret is common, and seldom meant. This is no wall: a
//! program that wants to tell can write a value backwards. It keeps logs and results clean of
//! accidents.

use std::collections::HashSet;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};

use crate::Json;
use crate::secret_parameters::HIDDEN;

/// Shorter values are everywhere in ordinary output, and guessed more easily than found there.
const SHORTEST: usize = 6;
/// Lines of a value that has several, such as a private key, count if they are so long.
const SHORTEST_LINE: usize = 16;
/// Longer values are looked for by their first bytes.
const LONGEST: usize = 16 << 10;

/// What is looked for. Cheap to clone.
#[derive(Clone)]
pub struct Redaction(Arc<Patterns>);

struct Patterns {
    search: AhoCorasick,
    /// Every beginning of a pattern that is shorter than [`SHORTEST`], and of that length.
    beginnings: HashSet<Vec<u8>>,
    all: Vec<Vec<u8>>,
    longest: usize,
}

impl Redaction {
    /// None if there is nothing to look for.
    pub fn of<'a>(
        secrets: impl Iterator<Item = &'a Json>,
    ) -> Result<Option<Redaction>, BuildError> {
        let mut found = HashSet::new();
        for secret in secrets {
            collect(&mut found, secret);
        }
        if found.is_empty() {
            return Ok(None);
        }
        let mut patterns: Vec<_> = found.into_iter().collect();
        patterns.sort();
        let search =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns)?;
        let beginnings = patterns
            .iter()
            .flat_map(|pattern| (1..=SHORTEST).map(|length| pattern[..length].to_vec()));
        Ok(Some(Redaction(Arc::new(Patterns {
            search,
            beginnings: beginnings.collect(),
            longest: patterns.iter().map(Vec::len).max().unwrap_or_default(),
            all: patterns,
        }))))
    }

    /// A stream of its own.
    pub fn stream(&self) -> RedactedStream {
        RedactedStream { patterns: self.0.clone(), held: Vec::new() }
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        self.0.search.replace_all(text, &vec![HIDDEN; self.0.all.len()])
    }

    /// The value without secrets, in keys neither.
    pub fn json(&self, value: &mut Json) {
        match value {
            Json::String(text) => *text = self.text(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Json::Object(fields) => {
                let named = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                    self.json(&mut value);
                    (self.text(&name), value)
                });
                *fields = named.collect();
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

/// Takes the texts of a secret apart into what is looked for.
fn collect(found: &mut HashSet<Vec<u8>>, secret: &Json) {
    match secret {
        Json::String(text) => {
            let mut add = |text: &str| {
                let bytes = text.as_bytes();
                if bytes.len() >= SHORTEST {
                    found.insert(bytes[..bytes.len().min(LONGEST)].to_vec());
                }
            };
            add(text.trim());
            // As it stands in JSON, between the quotes.
            add(Json::from(text.trim()).to_string().trim_matches('"'));
            let lines = text.lines().map(str::trim);
            lines.filter(|line| line.len() >= SHORTEST_LINE).for_each(add);
        }
        Json::Array(items) => items.iter().for_each(|item| collect(found, item)),
        Json::Object(fields) => fields.values().for_each(|value| collect(found, value)),
        Json::Number(number) => {
            let text = number.to_string();
            if text.len() >= SHORTEST {
                found.insert(text.into_bytes());
            }
        }
        Json::Null | Json::Bool(_) => {}
    }
}

/// One stream of output, in pieces as they come. What may become a secret with the next piece is
/// held back, and nothing else.
pub struct RedactedStream {
    patterns: Arc<Patterns>,
    held: Vec<u8>,
}

impl RedactedStream {
    /// What of the stream is known to be free of secrets.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let open = self.open_from();
        let mut out = Vec::with_capacity(self.held.len());
        let mut done = 0;
        for found in self.patterns.search.find_iter(&self.held) {
            if found.start() >= open {
                break;
            }
            out.extend_from_slice(&self.held[done..found.start()]);
            out.extend_from_slice(HIDDEN.as_bytes());
            done = found.end();
        }
        let rest = done.max(open);
        out.extend_from_slice(&self.held[done..rest]);
        self.held.drain(..rest);
        out
    }

    /// What was held back, at the end of the stream. Where the stream was cut, that may be the
    /// first part of a secret.
    pub fn finish(&mut self, was_cut: bool) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() || !was_cut {
            return self
                .patterns
                .search
                .replace_all_bytes(&held, &vec![HIDDEN; self.patterns.all.len()]);
        }
        HIDDEN.as_bytes().to_vec()
    }

    /// Where something begins that may still become a secret.
    fn open_from(&self) -> usize {
        let (held, patterns) = (&self.held, &self.patterns);
        let first = held.len().saturating_sub(patterns.longest - 1);
        let begins = |from: &usize| {
            let tail = &held[*from..];
            let beginning = &tail[..tail.len().min(SHORTEST)];
            patterns.beginnings.contains(beginning)
                && (tail.len() < SHORTEST
                    || patterns
                        .all
                        .iter()
                        .any(|pattern| pattern.len() > tail.len() && pattern.starts_with(tail)))
        };
        (first..held.len()).find(begins).unwrap_or(held.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(secrets: &[&str]) -> Redaction {
        let secrets: Vec<_> = secrets.iter().map(|secret| json!(secret)).collect();
        Redaction::of(secrets.iter()).unwrap().unwrap()
    }

    fn in_pieces(redaction: &Redaction, pieces: &[&str]) -> String {
        let mut stream = redaction.stream();
        let mut out: Vec<u8> =
            pieces.iter().flat_map(|piece| stream.push(piece.as_bytes())).collect();
        out.extend(stream.finish(false));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_found_whole_and_in_pieces() {
        let redaction = of(&["hunter22", "swordfish"]);
        let expected = format!("a {HIDDEN} b {HIDDEN}!");
        assert_eq!(in_pieces(&redaction, &["a hunter22 b swordfish!"]), expected);
        assert_eq!(in_pieces(&redaction, &["a hun", "ter", "22 b swordfis", "h!"]), expected);
    }

    #[test]
    fn only_what_may_become_a_secret_is_held_back() {
        let mut stream = of(&["hunter22"]).stream();
        assert_eq!(stream.push(b"progress: 10 %\n"), b"progress: 10 %\n");
        assert_eq!(stream.push(b"the hun"), b"the ");
        assert_eq!(stream.push(b"dred"), b"hundred");
        assert_eq!(stream.finish(false), b"");
    }

    #[test]
    fn the_first_part_of_one_is_not_shown_where_the_stream_was_cut() {
        let mut stream = of(&["hunter22"]).stream();
        assert_eq!(stream.push(b"a hunter2"), b"a ");
        assert_eq!(stream.finish(true), HIDDEN.as_bytes());
    }

    #[test]
    fn the_longer_one_of_two_wins() {
        let redaction = of(&["secret", "secret-and-more"]);
        assert_eq!(in_pieces(&redaction, &["secret", "-and-more"]), HIDDEN);
        assert_eq!(in_pieces(&redaction, &["secret", "-and-less"]), format!("{HIDDEN}-and-less"));
    }

    #[test]
    fn forms_of_a_value() {
        let key = "-----BEGIN KEY-----\nabcdefghijklmnopqrstuvwxyz\n-----END KEY-----\n";
        let redaction = of(&[key, "tab\there\"quoted"]);
        assert_eq!(
            in_pieces(&redaction, &["> abcdefghijklmnopqrstuvwxyz <"]),
            format!("> {HIDDEN} <")
        );
        assert_eq!(
            in_pieces(&redaction, &[r#"{"a":"tab\there\"quoted"}"#]),
            format!(r#"{{"a":"{HIDDEN}"}}"#)
        );
    }

    #[test]
    fn short_values_are_left_alone() {
        let secrets = [json!("12345"), json!(true), json!(null), json!({"a": ["x"]})];
        assert!(Redaction::of(secrets.iter()).unwrap().is_none());
    }

    #[test]
    fn values_of_any_shape() {
        let secrets = [json!({"a": ["nested-secret", 123_456_789]})];
        let redaction = Redaction::of(secrets.iter()).unwrap().unwrap();
        let mut value = json!({"nested-secret": ["x nested-secret", 5]});
        redaction.json(&mut value);
        assert_eq!(value, json!({HIDDEN: [format!("x {HIDDEN}"), 5]}));
        assert_eq!(redaction.text("123456789"), HIDDEN);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[ab]{0,40}", cuts in prop::collection::vec(0_usize..40, 0..6)) {
            let redaction = of(&["abababab", "aabbab", "bbbbbb"]);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            prop_assert_eq!(in_pieces(&redaction, &pieces), redaction.text(&text));
        }
    }
}
