//! A run's network: a loopback of its own, and the door.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;

use attune_domain::native::DOOR;

use super::Failed;
use crate::launcher::trying;

/// `IFF_UP`, in the width of a request.
const UP: libc::c_short = 1;

/// Listens at the door before anybody can knock. What is done with it is the server's business.
pub(super) fn open_door() -> Result<TcpListener, Failed> {
    // Any socket will do to configure the network; this one needs no address that is up.
    let socket = UdpSocket::bind("0.0.0.0:0").map_err(trying("make a socket"))?;
    bring_up(&socket, b"lo").map_err(trying("bring the loopback up"))?;
    Ok(TcpListener::bind(DOOR).map_err(trying("listen at the door"))?)
}

#[expect(unsafe_code, reason = "neither std nor rustix configures network interfaces")]
fn bring_up(socket: &UdpSocket, name: &[u8]) -> io::Result<()> {
    // SAFETY: all zeroes are a valid request for an interface without a name.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = UP;
    // SAFETY: the request is one for this operation, and is read only.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
