//! Packets over a Unix socket: a message, and descriptors that go with it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A path, or a text for an author; what is large has a memory file.
const MAX_PACKET: usize = 16 << 10;
const MAX_DESCRIPTORS: usize = 4;
const ANCILLARY: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// Two ends. A packet arrives whole, and an end that is gone is noticed at the other.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

pub(crate) fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
    if bytes.len() > MAX_PACKET {
        return Err(io::Error::other("a message is too large"));
    }
    let mut space = [MaybeUninit::uninit(); ANCILLARY];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next packet; none when the other end is gone.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: impl AsFd,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; MAX_PACKET];
    let mut space = [MaybeUninit::uninit(); ANCILLARY];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(&mut bytes)];
    let mut read = || recvmsg(&socket, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC);
    let length = match read() {
        // Told once when the other end went away with something unread. What it said before is
        // still there, and then the end.
        Err(Errno::CONNRESET) => read()?,
        other => other?,
    }
    .bytes;
    if length == 0 {
        return Ok(None);
    }
    let descriptors = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
        _ => Vec::new(),
    });
    let descriptors = descriptors.collect();
    let message = postcard::from_bytes(&bytes[..length]).map_err(io::Error::other)?;
    Ok(Some((message, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_travels_with_its_message_and_an_end_is_noticed() {
        let (here, there) = pair().unwrap();
        send(&here, &"word", &[io::stderr().as_fd()]).unwrap();
        let (message, descriptors) = receive::<String>(&there).unwrap().unwrap();
        assert_eq!((message.as_str(), descriptors.len()), ("word", 1));
        drop(here);
        assert!(receive::<String>(&there).unwrap().is_none());
    }

    #[test]
    fn the_last_word_of_somebody_who_did_not_listen_is_heard() {
        let (here, there) = pair().unwrap();
        send(&there, &"unread", &[]).unwrap();
        send(&here, &"last", &[]).unwrap();
        drop(here);
        assert_eq!(receive::<String>(&there).unwrap().unwrap().0, "last");
        assert!(receive::<String>(&there).unwrap().is_none());
    }
}
