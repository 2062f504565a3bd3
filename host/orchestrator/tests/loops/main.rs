//! The loops over a real store, with a scripted runner and a simulated clock.

mod cancelling;
mod losing;
mod output;
mod queueing;
mod recovering;
mod running;
mod scripted_runner;
mod sim_clock;
mod world;
