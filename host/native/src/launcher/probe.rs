//! What this machine has of the walls, found by trying.

use std::os::fd::AsFd;

use attune_domain::limits::Limits;
use attune_domain::native::{Confinement, ConfinementLevel};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::birth::clone;
use super::{Launcher, LauncherError, trying};
use crate::confine::{has_seccomp, landlock_abi};
use crate::init::memory_file;
use crate::packets;
use crate::protocol::{FromRun, Meet, Start, Task, ToRun};

/// What runs cannot do without, and what to do where it is missing.
const NEEDED: [(&str, libc::c_int, &str); 6] = [
    (
        "user namespace",
        libc::CLONE_NEWUSER,
        "raise sysctl user.max_user_namespaces, set kernel.unprivileged_userns_clone=1 and \
         kernel.apparmor_restrict_unprivileged_userns=0 where there are such; in a container, \
         allow clone with CLONE_NEWUSER in its seccomp profile",
    ),
    ("PID namespace", libc::CLONE_NEWPID, "raise sysctl user.max_pid_namespaces"),
    ("mount namespace", libc::CLONE_NEWNS, "raise sysctl user.max_mnt_namespaces"),
    ("network namespace", libc::CLONE_NEWNET, "raise sysctl user.max_net_namespaces"),
    ("IPC namespace", libc::CLONE_NEWIPC, "raise sysctl user.max_ipc_namespaces"),
    ("UTS namespace", libc::CLONE_NEWUTS, "raise sysctl user.max_uts_namespaces"),
];
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// Makes each namespace once, each in a new user namespace, and names those that cannot be made.
pub(super) fn namespaces() -> Result<(), LauncherError> {
    for (name, flag, remedy) in NEEDED {
        match clone(libc::CLONE_NEWUSER | flag) {
            Ok(Some(_child)) => {}
            Ok(None) => std::process::exit(0),
            Err(error) => {
                let missing = format!("no {name} can be made ({error}): {remedy}");
                return Err(LauncherError::Unconfined(missing));
            }
        }
    }
    Ok(())
}

/// Goes through a whole run in which nothing is started, and tells what stood around it.
pub(super) fn everything(
    launcher: &mut Launcher,
    who: &Meet,
) -> Result<Confinement, LauncherError> {
    if !has_seccomp() {
        let missing = "no seccomp filters: use a kernel with CONFIG_SECCOMP_FILTER".to_owned();
        return Err(LauncherError::Unconfined(missing));
    }
    run_nothing(launcher, who)?;
    let namespaces = NEEDED.map(|(name, ..)| name.to_owned());
    let always = ["no capabilities", "no new privileges", "resource limits", "seccomp"];
    let mut applied: Vec<_> = namespaces.into_iter().chain(always.map(str::to_owned)).collect();
    let level = match landlock_abi() {
        ..=0 => ConfinementLevel::Partial,
        abi => {
            applied.push(format!("landlock ABI {abi}"));
            ConfinementLevel::Full
        }
    };
    Ok(Confinement { level, applied })
}

fn run_nothing(launcher: &mut Launcher, who: &Meet) -> Result<(), LauncherError> {
    let (here, there) = packets::pair().map_err(trying("make a socket"))?;
    let start = Start { outer: who.outer, pack: None };
    launcher.start(&start, &there);
    drop(there);
    let task = Task {
        command: None,
        env: Vec::new(),
        script: None,
        parameters: None,
        limits: Limits::default(),
        max_processes: 16,
    };
    let task = memory_file(&task).map_err(trying("make a file in memory"))?;
    let nothing = rustix::stdio::stdin();
    packets::send(&here, &ToRun::Begin, &[task.as_fd(), nothing, nothing, nothing])
        .map_err(trying("speak"))?;
    loop {
        let mut waiting = [PollFd::new(&here, PollFlags::IN)];
        poll(&mut waiting, Some(&PATIENCE)).map_err(trying("wait"))?;
        let silent = waiting[0].revents().is_empty();
        let heard =
            if silent { None } else { packets::receive(&here).map_err(trying("listen"))? };
        match heard {
            Some((FromRun::Born | FromRun::Started, _)) => {}
            Some((FromRun::Ended(ending), _)) if ending.code == 0 => return Ok(()),
            Some((FromRun::Refused(problem), _)) => return Err(LauncherError::Unconfined(problem)),
            Some((FromRun::Ended(_), _)) | None => {
                let problem = "a run of nothing ended before its end, which it should not";
                return Err(LauncherError::Unconfined(problem.to_owned()));
            }
        }
    }
}
