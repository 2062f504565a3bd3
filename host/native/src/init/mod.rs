//! The init of a run: PID 1 of its processes, our own code, and their end.
//!
//! It begins as a clone of the launcher in namespaces of its own, furnishes them, is told by the
//! server what to start, starts it, and then watches. When the program's first process has
//! ended, or the server says so, it kills all others, waits until they are gone, and only then
//! tells how it went. Should the server, the launcher or the init itself die, the kernel kills
//! whatever is in the PID namespace.

mod descriptors;
mod family;
mod files;
mod memory;
mod network;
mod process;
mod program;
mod task;
mod watch;

pub(crate) use files::SCRIPT;
pub(crate) use task::memory_file;

use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::confine::Filters;
use crate::launcher::LauncherError;
use crate::packets;
use crate::protocol::{Ending, FromRun, Task, ToRun};

/// What an init has from the launcher.
pub(crate) struct Birth<'a> {
    /// The server is at its other end.
    pub(crate) run: &'a OwnedFd,
    /// Tells by a byte that our user namespace has users.
    pub(crate) mapped: &'a OwnedFd,
    pub(crate) pack: Option<&'a OwnedFd>,
    pub(crate) filters: &'a Filters,
}

/// Why there was no program.
enum Failed {
    /// The text is for the server.
    ToSetUp(String),
    /// Nobody is left to be told.
    ServerGone,
}

impl From<LauncherError> for Failed {
    fn from(error: LauncherError) -> Failed {
        Failed::ToSetUp(format!("the run cannot be set up: {error}"))
    }
}

/// The whole life of an init. A panic must not lead back into the launcher's code.
pub(crate) fn live(birth: &Birth<'_>) -> ! {
    let lived = catch_unwind(AssertUnwindSafe(|| run(birth)));
    let last_word = match lived {
        Ok(Ok(ending)) => FromRun::Ended(ending),
        Ok(Err(Failed::ToSetUp(problem))) => FromRun::Refused(problem),
        Ok(Err(Failed::ServerGone)) | Err(_) => std::process::exit(1),
    };
    let told = packets::send(birth.run, &last_word, &[]);
    std::process::exit(i32::from(told.is_err()));
}

fn run(birth: &Birth<'_>) -> Result<Ending, Failed> {
    let kept = [Some(birth.run), Some(birth.mapped), birth.pack];
    descriptors::close_all_but(kept.into_iter().flatten())?;
    process::settle(birth.mapped)?;
    let mut begin = hear_task(birth.run)?;
    files::furnish(&begin.task, birth.pack)?;
    let door = network::open_door()?;
    let family = family::Family::adopt()?;
    packets::send(birth.run, &FromRun::Started, &[door.as_fd()]).map_err(|_| Failed::ServerGone)?;
    drop(door);
    let stdio = std::mem::take(&mut begin.stdio);
    let main = program::start(&begin.task, stdio, birth.filters)?;
    watch::until_the_end(birth.run, main, &family, begin.task.limits.memory_bytes)
}

struct Begin {
    task: Task,
    stdio: Vec<OwnedFd>,
}

fn hear_task(run: &OwnedFd) -> Result<Begin, Failed> {
    let heard = packets::receive::<ToRun>(run).map_err(|_| Failed::ServerGone)?;
    let Some((ToRun::Begin, mut descriptors)) = heard else { return Err(Failed::ServerGone) };
    let stdio = descriptors.split_off(1.min(descriptors.len()));
    let (Some(file), 3) = (descriptors.pop(), stdio.len()) else { return Err(Failed::ServerGone) };
    let task = task::read(file).map_err(crate::launcher::trying("read what is to be done"))?;
    Ok(Begin { task, stdio })
}
