//! What server, launcher and inits say to each other, a packet each.

use std::path::PathBuf;

use attune_domain::limits::Limits;
use attune_domain::native::Confinement;
use serde::{Deserialize, Serialize};

/// The first word to the launcher: who a run would be outside of its user namespace.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Meet {
    pub(crate) outer: Ids,
}

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Its answer: how it can confine, or what is missing and the remedy.
pub(crate) type Hello = Result<Confinement, String>;

/// To the launcher, with one descriptor: the socket of the run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Who the program is outside of its user namespace.
    pub(crate) outer: Ids,
    pub(crate) pack: Option<PackFolder>,
}

/// A folder that is reached from `base` without leaving it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PackFolder {
    pub(crate) base: PathBuf,
    pub(crate) path: PathBuf,
}

/// To a run's init.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToRun {
    /// With four descriptors: a memory file that holds the [`Task`], stdin, stdout, stderr.
    Begin,
    /// SIGTERM for the program's process group.
    Terminate,
    /// The end of everything in the run.
    Kill,
}

/// From a run, to the server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromRun {
    /// The launcher's only word, with one descriptor that refers to the init.
    Born,
    /// The program is about to be started. With one descriptor: the socket that listens at the door.
    Started,
    /// There was no program. The text says why, and what to do.
    Refused(String),
    /// Nothing of the program is alive.
    Ended(Ending),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ending {
    /// As shells count: 128 and the signal, if that was the end.
    pub(crate) code: i32,
    pub(crate) peak_memory_bytes: u64,
    /// The init ended it, because all of it together had too much memory.
    pub(crate) out_of_memory: bool,
}

/// What a run is about. May hold secrets: it goes from the server to the init and nowhere else.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    /// None: nothing is started behind the walls; a test of the walls themselves.
    pub(crate) command: Option<Command>,
    pub(crate) env: Vec<(String, String)>,
    /// For [`crate::init::SCRIPT`].
    pub(crate) script: Option<Vec<u8>>,
    /// For [`attune_domain::runner::PARAMETER_FILE`].
    pub(crate) parameters: Option<Vec<u8>>,
    pub(crate) limits: Limits,
    pub(crate) max_processes: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Command {
    pub(crate) program: PathBuf,
    /// The name of the program first.
    pub(crate) args: Vec<String>,
}
