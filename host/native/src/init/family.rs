//! The processes of a run, all of which are the init's children in the end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, wait};

use crate::launcher::{LauncherError, trying};

/// Hears of deaths, and buries the dead.
pub(super) struct Family(OwnedFd);

impl Family {
    /// Before there are any processes, so that no death is missed.
    pub(super) fn adopt() -> Result<Family, LauncherError> {
        deaths().map(Family).map_err(trying("listen for ends of processes"))
    }

    /// Readable when somebody has died.
    pub(super) fn deaths(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Buries all who have died by now. Gives how `main` ended, if it did.
    pub(super) fn bury(&self, main: Pid) -> Option<i32> {
        let _count_is_of_no_use = rustix::io::read(&self.0, &mut [0_u8; 512]);
        bury(main, WaitOptions::NOHANG)
    }
}

/// Kills everybody, and waits until nobody is left. Gives how `main` ended, if it had not been
/// buried before.
pub(super) fn kill_all(main: Pid) -> Option<i32> {
    kill_everybody();
    bury(main, WaitOptions::empty())
}

fn bury(main: Pid, how: WaitOptions) -> Option<i32> {
    let mut code = None;
    loop {
        match wait(how) {
            Ok(Some((dead, status))) if dead == main => code = Some(exit_code(status)),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return code,
        }
    }
}

/// As shells count.
fn exit_code(status: WaitStatus) -> i32 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signal).unwrap_or(-1)
}

/// All in this PID namespace but its init, at one blow: nobody who forks meanwhile escapes.
#[expect(unsafe_code, reason = "rustix signals single processes and groups only")]
fn kill_everybody() {
    // SAFETY: a signal does nothing to this process's memory.
    let _nobody_left = unsafe { libc::kill(-1, Signal::KILL.as_raw()) };
}

#[expect(unsafe_code, reason = "rustix has neither signal masks nor signalfd")]
fn deaths() -> io::Result<OwnedFd> {
    // SAFETY: the set is made by sigemptyset before it is used; the launcher's disposition is
    // replaced by the default one, which runs no code; and the descriptor is new and ours.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}
