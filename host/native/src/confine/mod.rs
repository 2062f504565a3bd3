//! What a program may do, beyond what its namespaces leave it: the walls that the last process
//! of ours puts around itself before it becomes the program.
//!
//! The order matters: landlock and the resource limits need system calls that seccomp then
//! forbids, and emptying the bounding set needs a capability.

mod capabilities;
mod landlock;
mod resources;
mod seccomp;

pub(crate) use landlock::abi as landlock_abi;
pub(crate) use seccomp::{Filters, is_available as has_seccomp};

use attune_domain::limits::Limits;

/// Why a wall does not stand. The text is for an operator.
#[derive(Debug, thiserror::Error)]
#[error("{wall}: {problem}")]
pub(crate) struct WallError {
    wall: &'static str,
    problem: String,
}

fn failed<E: std::fmt::Display>(wall: &'static str) -> impl Fn(E) -> WallError {
    move |error| WallError { wall, problem: error.to_string() }
}

/// Puts all walls around the calling thread, for good.
pub(crate) fn enter(
    limits: &Limits,
    max_processes: u64,
    filters: &Filters,
) -> Result<(), WallError> {
    resources::limit(limits, max_processes)?;
    capabilities::drop_all()?;
    landlock::restrict()?;
    filters.install()
}
