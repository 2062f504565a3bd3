//! Resource limits of each process of a run.
//!
//! None on address space: interpreters reserve far more than they use. What all of a run's
//! processes use together is watched by its init.

use attune_domain::limits::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{WallError, failed};

/// For what an interpreter opens itself.
const OWN_FILES: u64 = 64;

pub(super) fn limit(limits: &Limits, max_processes: u64) -> Result<(), WallError> {
    set(Resource::Nproc, max_processes)?;
    set(Resource::Nofile, u64::from(limits.open_files) + OWN_FILES)?;
    set(Resource::Core, 0)?;
    // Above what fits into the scratch space, so that a full one is an error and not a signal.
    set(Resource::Fsize, limits.scratch_bytes.saturating_mul(2))?;
    // Memory that cannot be swapped, and messages that nobody reads.
    set(Resource::Memlock, 64 << 10)?;
    set(Resource::Msgqueue, 0)?;
    set(Resource::Sigpending, 1024)
}

/// Sets a limit, or the highest that is allowed.
fn set(resource: Resource, wanted: u64) -> Result<(), WallError> {
    let hard = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(wanted.min(hard));
    setrlimit(resource, Rlimit { current: limit, maximum: limit })
        .map_err(failed("resource limits"))
}
