//! The mounts that files of a run are made of: copies of the host's, with fewer rights.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

/// Not written, and nothing in it that gives rights: no set-user-id, no devices.
pub(super) const READ_ONLY: u64 =
    libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
/// A device, and nothing else.
pub(super) const DEVICE: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;

/// A copy of a tree of mounts, which is nowhere yet.
pub(super) fn copy(path: &Path, attributes: u64) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, path, flags)?;
    set_attributes(&tree, attributes)?;
    Ok(tree)
}

/// Puts a tree where everybody in this mount namespace sees it.
pub(crate) fn attach(tree: &OwnedFd, target: &str) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(move_mount(tree, "", CWD, target, flags)?)
}

/// Adds attributes to all mounts of a tree.
pub(super) fn set_attributes(tree: &OwnedFd, attributes: u64) -> io::Result<()> {
    change(tree, libc::AT_RECURSIVE, &wanted(attributes))
}

/// Adds attributes to a mount, and not to those in it.
pub(super) fn set_attributes_of_one(mount: &OwnedFd, attributes: u64) -> io::Result<()> {
    change(mount, 0, &wanted(attributes))
}

/// Adds attributes, and gives files the owners that a user namespace maps those on disk to.
pub(super) fn map_owners(tree: &OwnedFd, attributes: u64, users: &OwnedFd) -> io::Result<()> {
    let with_users = libc::mount_attr {
        userns_fd: u64::from(users.as_raw_fd().unsigned_abs()),
        ..wanted(attributes | libc::MOUNT_ATTR_IDMAP)
    };
    change(tree, libc::AT_RECURSIVE, &with_users)
}

fn wanted(attributes: u64) -> libc::mount_attr {
    libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 }
}

#[expect(unsafe_code, reason = "rustix has no mount_setattr")]
fn change(mount: &OwnedFd, flags: libc::c_int, wanted: &libc::mount_attr) -> io::Result<()> {
    // SAFETY: the path is an empty C string, and `wanted` is read for its size during the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            std::ptr::from_ref(wanted),
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
