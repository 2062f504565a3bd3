//! All SQL of the product: one module for each noun, beside the code that binds and reads it.
//!
//! The text is the same for every engine, and these modules are compiled once for each: `engine`
//! and `EngineStore` are those of the engine around them. So the compiler checks the types that
//! each engine binds and reads, and no call goes through a common denominator of both.

mod actions;
mod audit;
mod claims;
mod data_keys;
mod executions;
mod identities;
mod installation;
mod keys;
mod logs;
pub(super) mod migrations;
mod packs;
mod permissions;
mod rows;
pub(super) mod states;
mod submissions;
mod tokens;
mod workers;

use super::{EngineStore, Writer, engine};
