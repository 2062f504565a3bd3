//! The door over a real store: what callers get who hold grants that nothing in the product
//! can give out yet. What an administrator or a stranger gets is in `tests/e2e`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod constrained_grants;
mod delegation;
mod idle_runner;
mod keys;
mod standard_access;
mod world;
