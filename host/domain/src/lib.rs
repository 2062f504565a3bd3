//! The nouns and the pure rules of Attune, and the traits through which the
//! other rooms meet.
//!
//! Nothing here does I/O or knows tokio, SQL, HTTP or wasmtime. Start with
//! [`execution`] (what a run is and how its state may change), [`access`] (who
//! may do what), [`runner`] and [`store`] (the two big seams).

pub mod access;
pub mod action;
pub mod audit;
pub mod clock;
pub mod egress;
pub mod entry;
pub mod execution;
pub mod id;
pub mod identity;
pub mod json_size;
pub mod key;
pub mod limits;
pub mod native;
pub mod notice;
pub mod owner;
pub mod pack;
pub mod page;
pub mod parameters;
pub mod peer;
pub mod redaction;
pub mod runner;
pub mod schema;
pub mod secret_parameters;
pub mod shell;
pub mod store;
pub mod vault;
pub mod words;
pub mod worker;

/// A JSON value, as it travels on the wire and rests in the store.
pub type Json = serde_json::Value;
/// A JSON object.
pub type JsonObject = serde_json::Map<String, Json>;
