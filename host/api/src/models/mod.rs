//! What travels on the wire (contract, models): requests with their checks, responses
//! with the keys that must always be present. Nullable ones are sent as null.

pub(crate) mod action;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod execution;
pub(crate) mod extras;
pub(crate) mod key;
pub(crate) mod notification;
pub(crate) mod pack;
pub(crate) mod worker;
