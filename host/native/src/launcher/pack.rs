//! A pack's folder as a run sees it: read-only, and owned by the run's user.
//!
//! Packs of a server that is root are root's, and nobody else can read them. A run is somebody
//! else, so it gets an id-mapped mount, in which root's files on disk are the run's. Where the
//! file system has no such mounts, the modes of the files decide.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::process::{Pid, geteuid};

use super::mounts::{READ_ONLY, map_owners, set_attributes};
use super::user::map;
use super::{LauncherError, birth, trying};
use crate::protocol::{Ids, PackFolder};

/// User namespaces in which root is somebody else, by whom. They are made once for each.
#[derive(Default)]
pub(super) struct Users(HashMap<u32, OwnedFd>);

impl Users {
    /// A read-only copy of the folder's mount, which is nowhere yet.
    pub(super) fn open(&mut self, pack: &PackFolder, owner: Ids) -> Result<OwnedFd, LauncherError> {
        let tree = find(pack).map_err(trying("open the pack's folder"))?;
        if geteuid().is_root() {
            let users = self.get(owner).map_err(trying("make a user for the pack's files"))?;
            if map_owners(&tree, READ_ONLY, users).is_ok() {
                return Ok(tree);
            }
        }
        set_attributes(&tree, READ_ONLY)
            .map_err(trying("make the pack's folder read-only (mount_setattr, Linux 5.12)"))?;
        Ok(tree)
    }

    fn get(&mut self, owner: Ids) -> io::Result<&OwnedFd> {
        Ok(match self.0.entry(owner.uid) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(new) => new.insert(in_which_root_is(owner)?),
        })
    }
}

/// Links out of the folder of all packs are not followed.
fn find(pack: &PackFolder) -> io::Result<OwnedFd> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base = rustix::fs::openat(CWD, &pack.base, folder, Mode::empty())?;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let folder = openat2(&base, &pack.path, folder, Mode::empty(), inside)?;
    let copy = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(open_tree(&folder, "", copy)?)
}

/// A user namespace lives as long as somebody has it open; its only process has ended by then.
fn in_which_root_is(owner: Ids) -> io::Result<OwnedFd> {
    let (lets_go, hold) = rustix::pipe::pipe()?;
    let child = birth::clone(libc::CLONE_NEWUSER)?;
    let Some((child, _)) = child else {
        drop(hold);
        let _until_the_launcher_lets_go = rustix::io::read(&lets_go, &mut [0_u8]);
        std::process::exit(0);
    };
    let namespace = describe(child, owner);
    drop(hold);
    namespace
}

fn describe(child: Pid, owner: Ids) -> io::Result<OwnedFd> {
    let child = child.as_raw_nonzero().to_string();
    map(&child, Ids { uid: 0, gid: 0 }, owner)?;
    Ok(File::open(format!("/proc/{child}/ns/user"))?.into())
}
