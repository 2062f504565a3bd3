//! Runs programs outside WebAssembly, behind what the kernel has of walls.
//!
//! ```text
//! server process          launcher, one thread        one run: its own PID, user, mount,
//!   Native ─ run ══════════ start ─── clone ────────── network, IPC and UTS namespaces
//!             ╚═════════════ socket of the run ═══════ init (PID 1) ─ program ─ …
//! ```
//!
//! The [`launcher`] is a small process that clones an [`init`] for each run, cheaply, since it
//! has none of the server's memory. The init is our own code: it furnishes the run, starts the
//! program behind the rest of the walls ([`confine`]), watches it, and leaves nothing of it
//! alive. The server speaks with each init directly ([`server`]): what a run is told, such as
//! secrets, never passes through the launcher. Start with [`Native`] for the server's side and
//! [`launcher_main`] for the other.

mod confine;
mod init;
mod interpreters;
mod launcher;
mod packets;
mod protocol;
mod server;
mod settings;

pub use interpreters::{Interpreters, find_interpreters};
pub use launcher::launcher_main;
pub use server::{Native, probe};
pub use settings::{NativeError, Settings};
