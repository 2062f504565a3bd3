//! A socket of packets, as tokio waits for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::packets;

/// A descriptor that tokio waits for.
#[expect(unsafe_code, reason = "tokio asks for a promise about the descriptor")]
pub(super) fn watched(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open for as long as it lives, and nobody replaces it in here.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}

pub(super) struct Channel(AsyncFd<OwnedFd>);

impl Channel {
    pub(super) fn new(socket: OwnedFd) -> io::Result<Channel> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Channel(watched(socket, Interest::READABLE | Interest::WRITABLE)?))
    }

    pub(super) async fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        // Mostly there is room, and nothing to wait for.
        match packets::send(self.0.get_ref().as_fd(), message, descriptors) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let again = |socket: &OwnedFd| packets::send(socket, message, descriptors);
                self.0.async_io(Interest::WRITABLE, again).await
            }
            sent => sent,
        }
    }

    /// The next message; none when the other end is gone. May be dropped and called again.
    pub(super) async fn receive<T: DeserializeOwned>(
        &self,
    ) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        self.0.async_io(Interest::READABLE, |socket| packets::receive(socket)).await
    }
}
