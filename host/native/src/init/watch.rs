//! The init's watch over the program, from its start to the end of all its processes.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::family::{self, Family};
use super::{Failed, memory};
use crate::packets;
use crate::protocol::{Ending, ToRun};

/// How often the memory of all processes is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the init learns while it waits.
enum News {
    Ended(i32),
    KilledByServer,
    OutOfMemory,
}

/// Gives the ending when nothing of the program is alive any more.
pub(super) fn until_the_end(
    run: &OwnedFd,
    main: Pid,
    family: &Family,
    memory_limit: u64,
) -> Result<Ending, Failed> {
    let mut watch =
        Watch { run, main, memory_limit, peak: 0, next_look: Instant::now() + LOOK_EVERY };
    let news = watch.wait(family)?;
    let last = family::kill_all(main);
    let code = match news {
        News::Ended(code) => code,
        News::KilledByServer | News::OutOfMemory => last.unwrap_or(128 + libc::SIGKILL),
    };
    Ok(Ending {
        code,
        peak_memory_bytes: watch.peak.max(largest_process()),
        out_of_memory: matches!(news, News::OutOfMemory),
    })
}

struct Watch<'a> {
    run: &'a OwnedFd,
    main: Pid,
    memory_limit: u64,
    peak: u64,
    next_look: Instant,
}

impl Watch<'_> {
    fn wait(&mut self, family: &Family) -> Result<News, Failed> {
        loop {
            let (died, spoken) = self.until_something_happens(family)?;
            if died && let Some(code) = family.bury(self.main) {
                return Ok(News::Ended(code));
            }
            if spoken && let Some(news) = self.hear()? {
                return Ok(news);
            }
            if Instant::now() >= self.next_look {
                self.next_look = Instant::now() + LOOK_EVERY;
                let in_use = memory::in_use(self.memory_limit);
                self.peak = self.peak.max(in_use);
                if in_use > self.memory_limit {
                    return Ok(News::OutOfMemory);
                }
            }
        }
    }

    /// Whether a process has died, and whether the server has spoken or gone.
    fn until_something_happens(&self, family: &Family) -> Result<(bool, bool), Failed> {
        let deaths = family.deaths();
        let mut waiting =
            [PollFd::new(&deaths, PollFlags::IN), PollFd::new(self.run, PollFlags::IN)];
        let patience = self.next_look.saturating_duration_since(Instant::now());
        let patience = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        match poll(&mut waiting, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // Without knowing what happens, the run must not go on.
            Err(_) => return Err(Failed::ServerGone),
        }
        Ok((!waiting[0].revents().is_empty(), !waiting[1].revents().is_empty()))
    }

    fn hear(&self) -> Result<Option<News>, Failed> {
        match packets::receive::<ToRun>(self.run) {
            Ok(Some((ToRun::Terminate, _))) => {
                let _has_ended = kill_process_group(self.main, Signal::TERM);
                Ok(None)
            }
            Ok(Some((ToRun::Kill, _))) => Ok(Some(News::KilledByServer)),
            Ok(Some((ToRun::Begin, _)) | None) | Err(_) => Err(Failed::ServerGone),
        }
    }
}

/// What the largest process had at its largest moment, in bytes.
#[expect(unsafe_code, reason = "rustix has no getrusage")]
fn largest_process() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills in the structure, of which all zeroes are a valid one.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10
}
