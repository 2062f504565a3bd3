//! The second wall on its own: native code behind a runner's confinement.
//!
//! Each trial starts this binary again as a prisoner, which confines itself as a
//! bound runner does and then makes one attempt. This is what an attacker could
//! do who has escaped the engine and runs machine code in a runner.

#![expect(clippy::unwrap_used, reason = "a test")]

mod attempts;
mod prison;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(prison::PRISONER) {
        return prison::attempt(arguments);
    }
    libtest_mimic::run(&Arguments::from_args(), prison::trials()).exit_code()
}
