//! Attributes of the process itself: limits, priority, descriptors, death.

use std::fs;
use std::io;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit, setsid,
};

use super::ConfineError;

/// Every place can hold `Limits::open_files` files; the rest is for the runner itself.
const MAX_DESCRIPTORS: u64 = 65_536;
/// The largest file: above any scratch limit worth setting, below a full disk.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// The first descriptor that is not one of the standard three.
const FIRST_INHERITED: u32 = 3;

/// Ctrl-C at the server's terminal lets the server drain, and must not end its runners.
pub(super) fn leave_session() -> Result<(), ConfineError> {
    setsid().map_err(named("leave the server's session"))?;
    Ok(())
}

/// From the first moment: no core dumps, no tracing by other processes of the same
/// user, no descriptor but the standard three, and no life after the server's.
pub(super) fn prepare() -> Result<(), ConfineError> {
    close_inherited().map_err(named("close inherited descriptors"))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(named("die with the server"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(named("forbid dumps"))?;
    limit(Resource::Core, 0)
}

/// No limit on address space: wasmtime reserves far more than it uses.
/// None on processes: it counts all of a user's, and seccomp forbids new ones.
pub(super) fn limit_resources() -> Result<(), ConfineError> {
    limit(Resource::Nofile, MAX_DESCRIPTORS)?;
    limit(Resource::Fsize, MAX_FILE_BYTES)
}

pub(super) fn require_one_thread() -> Result<(), ConfineError> {
    let threads = fs::read_dir("/proc/self/task").map_err(named("count threads"))?.count();
    if threads == 1 { Ok(()) } else { Err(ConfineError::Threads(threads)) }
}

/// Sets a limit, or the highest that is allowed.
fn limit(resource: Resource, wanted: u64) -> Result<(), ConfineError> {
    let hard = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(wanted.min(hard));
    setrlimit(resource, Rlimit { current: limit, maximum: limit }).map_err(named("limit resources"))
}

/// The server opens everything close-on-exec; this is for what a library forgot.
#[expect(unsafe_code, reason = "neither std nor rustix has close_range")]
fn close_inherited() -> io::Result<()> {
    // SAFETY: runs before this process has opened anything, so nobody owns the
    // descriptors that are closed.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST_INHERITED, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn named<E: Into<io::Error>>(action: &'static str) -> impl Fn(E) -> ConfineError {
    move |error| ConfineError::Process(action, error.into())
}
