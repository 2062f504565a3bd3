//! Native runs from outside: real programs behind real walls.
//!
//! [`contract`] has what a program is given and how its end is told, [`ends`] how runs are ended
//! and that nothing of them is left, [`walls`] what programs attempt, [`crowd`] many of them.
//!
//! This binary is also the launcher: the room starts it again with [`LAUNCHER`].

#![expect(clippy::unwrap_used, reason = "a test")]

mod contract;
mod crowd;
mod ends;
mod host;
mod walls;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// The argument that makes this binary a launcher.
const LAUNCHER: &str = "attune-test-launcher";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(LAUNCHER) => return attune_native::launcher_main(),
        Some(ends::SERVER) => return ends::serve(),
        Some(crowd::COUNTER) => return crowd::count(),
        _ => {}
    }
    let modules = [contract::TRIALS, ends::TRIALS, walls::TRIALS, crowd::TRIALS];
    let trials = modules.into_iter().flatten().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A name, and what is to be true in a room of its own.
type Case = (&'static str, fn(&host::Host));

fn trial((name, case): &(&'static str, fn(&host::Host))) -> Trial {
    let case = *case;
    Trial::test(*name, move || {
        case(&host::Host::start());
        Ok::<(), Failed>(())
    })
}
