//! The launcher as a process: what it inherits, and when it dies.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Signal, set_parent_process_death_signal, setsid};

/// Comes before anything else. Gives the socket that standard input is.
///
/// The server may still be in a program that has not closed everything, or at a terminal whose
/// Ctrl-C is not for us; and we must not outlive it, whatever happens to it.
pub(super) fn prepare() -> io::Result<OwnedFd> {
    close_inherited()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    setsid()?;
    let server = io::stdin().as_fd().try_clone_to_owned()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    forget_children()?;
    Ok(server)
}

/// The server opens everything close-on-exec; this is for what a library forgot.
#[expect(unsafe_code, reason = "neither std nor rustix has close_range")]
fn close_inherited() -> io::Result<()> {
    const FIRST: u32 = 3;
    // SAFETY: runs before this process has opened anything, so nobody owns what is closed.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The kernel shall not keep inits for us to wait for: whoever is interested has a descriptor.
#[expect(unsafe_code, reason = "rustix does not set dispositions of signals")]
fn forget_children() -> io::Result<()> {
    // SAFETY: ignoring a signal runs no code.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}
