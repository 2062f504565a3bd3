//! The server's side: runner processes, and which of them gets a run.
//!
//! [`starter`] starts one, [`process`] speaks with it until it is bound, [`bound`] is one
//! that serves a tenant, [`followers`] hears what it says of its runs, [`policy`]
//! decides which gets a run, [`pool`] keeps their number right, [`run`] follows
//! one run for as long as its [`patience`] lasts. [`measure`] has the numbers.

pub(crate) mod bound;
mod exchanges;
mod followers;
pub(crate) mod measure;
mod patience;
mod policy;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod run;
mod spawner;
mod starter;
