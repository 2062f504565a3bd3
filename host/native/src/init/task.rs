//! What a run is about, in a file in memory: it is larger than a packet, and on no disk.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::protocol::Task;

/// The server's side. The reader begins at the beginning.
pub(crate) fn memory_file(task: &Task) -> io::Result<OwnedFd> {
    let bytes = postcard::to_stdvec(task).map_err(io::Error::other)?;
    let mut file = File::from(memfd_create("attune-task", MemfdFlags::CLOEXEC)?);
    file.write_all(&bytes)?;
    file.rewind()?;
    Ok(file.into())
}

pub(super) fn read(file: OwnedFd) -> io::Result<Task> {
    let mut bytes = Vec::new();
    File::from(file).read_to_end(&mut bytes)?;
    postcard::from_bytes(&bytes).map_err(io::Error::other)
}
