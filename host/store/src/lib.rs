//! The store: all SQL of the product, and nothing that decides anything.
//!
//! Two engines: [`sqlite`] for one machine, [`postgres`] for many. What they have in common, which
//! is nearly everything, is in `sql`.
//!
//! Every statement on tenant data names the tenant of its scope. Packs, actions and
//! permission sets are also read from the shared tenant (0), never written there.

#![expect(clippy::duplicate_mod, reason = "`sql` is compiled once for each engine")]

mod error;
mod location;
mod measure;
mod postgres;
mod sqlite;

pub use error::OpenError;
pub use location::{Location, Schema};
pub use measure::describe_metrics;
pub use postgres::{CONNECTIONS, PostgresStore};
pub use sqlite::{BackupError, SqliteStore, backup, restore};
