//! What an init has open: what it was born with, and nothing of the launcher's.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::launcher::{LauncherError, trying};

/// Standard input, output and error stay as well.
pub(super) fn close_all_but<'a>(
    kept: impl Iterator<Item = &'a OwnedFd>,
) -> Result<(), LauncherError> {
    let mut kept: Vec<_> = kept.map(|kept| kept.as_raw_fd().unsigned_abs()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for kept in kept {
        close(first, kept.saturating_sub(1)).map_err(trying("close descriptors"))?;
        first = kept + 1;
    }
    close(first, u32::MAX).map_err(trying("close descriptors"))
}

#[expect(unsafe_code, reason = "neither std nor rustix has close_range")]
fn close(first: u32, last: u32) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: those who own these descriptors are the launcher's, and never run in this clone.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
