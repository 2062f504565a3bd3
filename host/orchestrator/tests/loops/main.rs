//! The loops over a real store, with a scripted runner and a simulated clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cancelling;
mod crashes;
mod expiring;
mod losing;
mod output;
mod queueing;
mod readiness;
mod recovering;
mod running;
mod scripted_runner;
mod sim_clock;
mod world;
