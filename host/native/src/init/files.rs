//! The files that are a run's own: its processes, its scratch space, its pack, what it was given.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use attune_domain::native::PACK_FOLDER;
use attune_domain::runner::PARAMETER_FILE;
use rustix::mount::{MountFlags, mount, mount_bind};

use super::Failed;
use crate::launcher::{attach, trying};
use crate::protocol::Task;

/// Where a script is that was made for the run.
pub(crate) const SCRIPT: &str = "/run/attune/script";
/// One file system, of limited size, holds all that a run can write.
const SCRATCH: &str = "/run";
/// Its folders, and where else they are seen.
const FOLDERS: [(&str, u32, Option<&str>); 3] = [
    ("/run/attune", 0o700, None),
    ("/run/tmp", 0o1777, Some("/tmp")),
    ("/run/shm", 0o1777, Some("/dev/shm")),
];
/// What we put there ourselves: the folders, the script, the parameters.
const OWN_ENTRIES: u64 = 8;
const PAGE: u64 = 4096;

/// The mount points come from the launcher's template.
pub(super) fn furnish(task: &Task, pack: Option<&OwnedFd>) -> Result<(), Failed> {
    let no_rights = MountFlags::NOSUID | MountFlags::NODEV;
    mount("proc", "/proc", "proc", no_rights | MountFlags::NOEXEC, None)
        .map_err(trying("mount a proc file system (a container must not hide parts of /proc)"))?;
    let size = size(task);
    mount("attune", SCRATCH, "tmpfs", no_rights, size.as_c_str())
        .map_err(trying("mount the scratch space"))?;
    scratch_folders().map_err(trying("prepare the scratch space"))?;
    if let Some(pack) = pack {
        attach(pack, PACK_FOLDER).map_err(trying("mount the pack's folder"))?;
    }
    give(SCRIPT, task.script.as_deref()).map_err(trying("write the script"))?;
    give(PARAMETER_FILE, task.parameters.as_deref()).map_err(trying("write the parameters"))?;
    rustix::system::sethostname(b"attune").map_err(trying("name the run's host"))?;
    Ok(())
}

/// What the run was given does not count as its own.
fn size(task: &Task) -> CString {
    let given = [&task.script, &task.parameters]
        .map(|file| file.as_ref().map_or(0, |file| (file.len() as u64).next_multiple_of(PAGE)));
    let folders = OWN_ENTRIES * PAGE;
    let bytes = task.limits.scratch_bytes + given.iter().sum::<u64>() + folders;
    let entries = task.limits.scratch_entries + OWN_ENTRIES;
    CString::new(format!("size={bytes},nr_inodes={entries},mode=0755")).unwrap_or_default()
}

fn scratch_folders() -> io::Result<()> {
    for (folder, mode, seen_at) in FOLDERS {
        fs::create_dir(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode))?;
        if let Some(seen_at) = seen_at {
            mount_bind(folder, seen_at)?;
        }
    }
    Ok(())
}

/// For the program's user alone, which is ours.
fn give(path: &str, content: Option<&[u8]>) -> io::Result<()> {
    let Some(content) = content else { return Ok(()) };
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}
