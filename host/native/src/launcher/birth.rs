//! The birth of a run: a clone of the launcher, in namespaces of its own.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::process::Pid;

use super::user::map_child;
use super::{Launcher, LauncherError, trying};
use crate::init::{self, Birth};
use crate::packets;
use crate::protocol::{FromRun, Start};

/// Nothing that a program can name is shared with the host, or with other runs.
pub(super) const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

impl Launcher {
    /// Returns in the launcher only: the child lives in [`init`], and ends there.
    pub(super) fn give_birth(&mut self, start: &Start, run: &OwnedFd) -> Result<(), LauncherError> {
        let pack = start.pack.as_ref().map(|pack| self.pack_users.open(pack, start.outer));
        let pack = pack.transpose()?;
        let (mapped, tell_mapped) = rustix::pipe::pipe().map_err(trying("make a pipe"))?;
        let filters = &self.filters;
        // The template's mounts are what the child gets copies of.
        let child = self.namespaces.in_template(|| {
            let child = clone(NAMESPACES)?;
            let birth = Birth { run, mapped: &mapped, pack: pack.as_ref(), filters };
            Ok::<_, io::Error>(child.unwrap_or_else(|| init::live(&birth)))
        });
        let (child, process) = child?.map_err(trying("make the namespaces of a run"))?;
        map_child(child, start.outer).map_err(trying("map the run's user"))?;
        packets::send(run, &FromRun::Born, &[process.as_fd()]).map_err(trying("speak"))?;
        rustix::io::write(&tell_mapped, b"!").map_err(trying("speak"))?;
        Ok(())
    }
}

/// Forks the calling process, which must have one thread, into new namespaces. Gives the child
/// and a descriptor that refers to it, or nothing in the child.
#[expect(unsafe_code, reason = "no library forks into namespaces")]
pub(super) fn clone(namespaces: libc::c_int) -> io::Result<Option<(Pid, OwnedFd)>> {
    let mut process: libc::c_int = -1;
    let flags = namespaces | libc::CLONE_PIDFD | libc::SIGCHLD;
    let own_stack = std::ptr::null::<libc::c_void>();
    let nothing = 0_usize;
    // SAFETY: as a fork does, the child goes on with a copy of the stack and all memory; there
    // is no other thread that could have held a lock. The kernel writes to `process`.
    let child = unsafe {
        libc::syscall(libc::SYS_clone, flags, own_stack, &raw mut process, nothing, nothing)
    };
    match i32::try_from(child) {
        Ok(0) => Ok(None),
        // SAFETY: the kernel has just opened it for us.
        Ok(child @ 1..) => {
            Ok(Pid::from_raw(child).map(|child| (child, unsafe { OwnedFd::from_raw_fd(process) })))
        }
        _ => Err(io::Error::last_os_error()),
    }
}
