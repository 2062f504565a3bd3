//! The second wall: what a runner process may do, should its engine be escaped.
//!
//! [`prepare`] holds from the first moment of a runner, [`enter`] from the
//! moment it is bound to a tenant. Neither can be taken back. [`probe`] tells an
//! operator what this machine has of it.

mod landlock;
mod probe;
mod process;
mod schedule;
mod seccomp;

pub use probe::{ConfinementReport, Feature, probe_confinement};

use std::path::{Path, PathBuf};

use crate::protocol::Folders;
use crate::settings::Confinement;

/// Why a runner could not be confined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    #[error("a runner must have one thread when it is confined, and has {0}")]
    Threads(usize),
    #[error("cannot {0}: {1}")]
    Process(&'static str, std::io::Error),
    #[error("landlock: {0}")]
    Landlock(String),
    #[error("seccomp: {0}")]
    Seccomp(String),
}

/// What needs no tenant: called before anything else in a runner.
pub(crate) fn prepare() -> Result<(), ConfineError> {
    process::leave_session()?;
    // Before the process cannot be dumped: then its files below /proc are root's.
    schedule::step_back_as_a_group();
    schedule::take_long_turns();
    process::prepare()
}

/// Gives up every right but those on `folders`, for good.
///
/// The order matters: landlock needs system calls that seccomp then forbids. Both
/// cover the calling thread and those it makes later, so there must be no other.
pub(crate) fn enter(folders: &Folders, confinement: Confinement) -> Result<(), ConfineError> {
    process::require_one_thread()?;
    process::limit_resources()?;
    tolerate(landlock::restrict(folders), confinement)?;
    tolerate(seccomp::restrict(), confinement)
}

/// Lowers the priority of the calling thread, when those that must not have it are made.
pub(crate) fn step_back() -> Result<(), ConfineError> {
    schedule::step_back()
}

/// The confinement of a bound runner, around the calling process.
pub fn confine_like_a_runner(packs: &[PathBuf], scratch: &Path) -> Result<(), String> {
    let folders = Folders { packs: packs.to_vec(), scratch: scratch.to_owned() };
    prepare()
        .and_then(|()| enter(&folders, Confinement::Required))
        .map_err(|error| error.to_string())
}

/// Best effort means to go on without what the kernel has not.
fn tolerate(
    result: Result<(), ConfineError>,
    confinement: Confinement,
) -> Result<(), ConfineError> {
    match confinement {
        Confinement::Required => result,
        Confinement::BestEffort => Ok(()),
    }
}
