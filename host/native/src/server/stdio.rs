//! The three pipes of a run.

use std::io;
use std::os::fd::OwnedFd;

use attune_domain::native::NativeJob;
use bytes::Bytes;
use rustix::fs::{Gid, Uid};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::{self, Receiver, Sender};

use crate::protocol::Ids;

/// The server's ends.
pub(super) struct Ours {
    pub(super) stdin: Stdin,
    pub(super) stdout: Receiver,
    pub(super) stderr: Receiver,
}

pub(super) struct Stdin {
    pipe: Sender,
    content: Bytes,
}

/// The program's ends: stdin, stdout, stderr.
pub(super) type Theirs = [OwnedFd; 3];

/// The pipes belong to the program's user and group, or it could not open `/dev/stderr`.
pub(super) fn pipes(job: &NativeJob, owner: Ids) -> io::Result<(Ours, Theirs)> {
    let (pipe, stdin) = pipe::pipe()?;
    let (out, stdout) = pipe::pipe()?;
    let (err, stderr) = pipe::pipe()?;
    let theirs = [stdin.into_blocking_fd()?, out.into_blocking_fd()?, err.into_blocking_fd()?];
    for pipe in &theirs {
        rustix::fs::fchown(pipe, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
    }
    let stdin = Stdin { pipe, content: job.stdin.clone() };
    Ok((Ours { stdin, stdout, stderr }, theirs))
}

impl Stdin {
    /// Writes everything, as fast as it is read, and closes.
    pub(super) async fn feed(mut self) {
        // Programs need not read what they are given.
        let _not_read = self.pipe.write_all(&self.content).await;
    }
}
