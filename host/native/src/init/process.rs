//! The init as a process: who it is, and when it dies.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::fs::{Gid, Uid};
use rustix::process::{
    DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal, umask,
};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};

use super::Failed;
use crate::launcher::{INNER_ID, trying};

/// Of all processes of the machine, the kernel takes a run's when memory is short.
const FIRST_TO_GO: &str = "1000";

/// Becomes the run's user, who is nobody outside; keeps its rights inside.
pub(super) fn settle(mapped: &OwnedFd) -> Result<(), Failed> {
    // Before the process cannot be dumped: then its files below /proc are root's.
    let _only_a_hint = fs::write("/proc/self/oom_score_adj", FIRST_TO_GO);
    let told = rustix::io::read(mapped, &mut [0_u8]).map_err(trying("wait for the launcher"))?;
    if told == 0 {
        return Err(Failed::ServerGone);
    }
    let (uid, gid) = (Uid::from_raw(INNER_ID), Gid::from_raw(INNER_ID));
    set_thread_res_gid(gid, gid, gid).map_err(trying("become the run's group"))?;
    set_thread_res_uid(uid, uid, uid).map_err(trying("become the run's user"))?;
    // A change of the user has made the kernel forget this. If the launcher died before, the
    // server hangs up.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(trying("die with the launcher"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(trying("forbid dumps"))?;
    umask(rustix::fs::Mode::from_raw_mode(0o022));
    Ok(())
}
