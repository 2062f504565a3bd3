//! Reading requests: bodies, queries, paths and headers, each refused in the envelope.

pub(crate) mod body;
pub(crate) mod json;
pub(crate) mod patch;
pub(crate) mod query;
pub(crate) mod validate;

pub(crate) use json::{JsonBody, RawJson};
pub(crate) use patch::Patch;
pub(crate) use query::{Path, QueryString};
pub(crate) use validate::{Checks, Validate};
