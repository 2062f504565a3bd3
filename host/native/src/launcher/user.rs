//! Who the launcher is, and who its children are inside and outside of their user namespaces.

use std::fs;
use std::io;

use rustix::process::{Pid, getegid, geteuid};
use rustix::thread::{UnshareFlags, set_thread_groups, unshare_unsafe};

use super::{LauncherError, trying};
use crate::protocol::Ids;

/// The program's user and group, as the program sees them.
pub(crate) const INNER_ID: u32 = 1000;

/// May make mount namespaces from now on: root may anyway, others in a user namespace of their own.
pub(super) fn become_owner() -> Result<(), LauncherError> {
    if geteuid().is_root() {
        return set_thread_groups(&[]).map_err(trying("leave the groups of the server"));
    }
    let own = Ids { uid: geteuid().as_raw(), gid: getegid().as_raw() };
    unshare(UnshareFlags::NEWUSER).map_err(trying("make a user namespace"))?;
    map("self", own, own).map_err(trying("map the server's user"))
}

/// A child in a new user namespace is [`INNER_ID`] there and `uid` outside.
pub(super) fn map_child(child: Pid, outer: Ids) -> io::Result<()> {
    let child = child.as_raw_nonzero().to_string();
    map(&child, Ids { uid: INNER_ID, gid: INNER_ID }, outer)
}

/// Who is `outer` outside of a process's user namespace is `inner` in it.
pub(super) fn map(process: &str, inner: Ids, outer: Ids) -> io::Result<()> {
    let file = |name: &str| format!("/proc/{process}/{name}");
    // Without this, nobody but root may map groups.
    fs::write(file("setgroups"), "deny")?;
    fs::write(file("gid_map"), format!("{} {} 1", inner.gid, outer.gid))?;
    fs::write(file("uid_map"), format!("{} {} 1", inner.uid, outer.uid))
}

/// The launcher leaves namespaces of the server.
#[expect(unsafe_code, reason = "unsharing descriptors would be dangerous, and is not done here")]
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    debug_assert!(!flags.contains(UnshareFlags::FILES));
    // SAFETY: the table of descriptors stays shared with whom it was.
    unsafe { unshare_unsafe(flags) }?;
    Ok(())
}
