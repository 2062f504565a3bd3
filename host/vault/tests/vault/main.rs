//! The vault over a real store: what is sealed opens, for whom and where it should, whatever is
//! exchanged meanwhile.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod masters;
mod rotation;
mod sealing;
mod world;
