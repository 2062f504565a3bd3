//! A runner's place in the queue for the processor: behind the server and everybody else.

use std::time::Duration;
use std::{fs, io, thread};

use rustix::process::{getpriority_process, setpriority_process};

use super::ConfineError;

/// Far behind the server and the epoch's thread, so that busy guests do not slow what wakes
/// them, limits them and stops them.
pub(super) const NICENESS: i32 = 10;
/// A guest's turn on the processor while nobody else wants it: others, who ask for shorter
/// ones, go first. Since Linux 6.12; before, it changes nothing.
const TURN: Duration = Duration::from_millis(20);
/// The size of `sched_attr` that every kernel knows (`SCHED_ATTR_SIZE_VER0`).
const ATTRIBUTES_SIZE: u32 = 48;
const ORDINARY_POLICY: u32 = 0;
/// The kernel lets one unprivileged process in 100 ms change its group's place.
const GROUP_PAUSE: Duration = Duration::from_millis(100);
const GROUP_ATTEMPTS: usize = 10;

/// The process as a whole steps back. Kernels with autogroups share the processor out by
/// session first, and by niceness only within one, so a runner needs a session of its own.
///
/// Guests in the server's session would be worse than in its way: as loops on all cores make
/// the shares of its group change all the time, Linux 6.18 lets nobody else run for up to a
/// minute.
pub(super) fn step_back_as_a_group() {
    for _ in 0..GROUP_ATTEMPTS {
        let stepped_back = fs::write("/proc/self/autogroup", NICENESS.to_string());
        // Whatever else can be wrong, such as a kernel without autogroups, does not get better.
        if !stepped_back.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return;
        }
        thread::sleep(GROUP_PAUSE);
    }
}

/// The calling thread, which is to run guests, takes long turns; threads that it makes do not.
#[expect(unsafe_code, reason = "neither std nor rustix has sched_setattr")]
pub(super) fn take_long_turns() {
    let attributes = libc::sched_attr {
        size: ATTRIBUTES_SIZE,
        sched_policy: ORDINARY_POLICY,
        sched_flags: u64::from(libc::SCHED_FLAG_RESET_ON_FORK.unsigned_abs()),
        sched_nice: getpriority_process(None).unwrap_or(0),
        sched_priority: 0,
        sched_runtime: TURN.as_nanos().try_into().unwrap_or(u64::MAX),
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `attributes`, whose size is in it, during the call.
    let _slower_if_refused =
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// The calling thread steps back behind the other threads of its process.
pub(super) fn step_back() -> Result<(), ConfineError> {
    setpriority_process(None, NICENESS)
        .map_err(|error| ConfineError::Process("lower the priority", error.into()))
}
