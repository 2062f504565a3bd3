//! The sandbox from outside: real guests, real runner processes.
//!
//! Each folder of `tests/cases` proves one wall from inside guest code; the
//! folders of `runtimes/python/tests/cases` are the guest's own, run behind all
//! walls here. [`scenarios`] needs more than one run each.
//!
//! This binary is also the runner: the sandbox starts it again with [`RUNNER`].

#![expect(clippy::unwrap_used, reason = "a test")]

mod cases;
mod host;
mod scenarios;

use std::process::ExitCode;

use libtest_mimic::Arguments;

/// The argument that makes this binary a runner.
const RUNNER: &str = "attune-test-runner";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(RUNNER) {
        return attune_sandbox::runner_main();
    }
    let mut trials = cases::trials();
    trials.extend(scenarios::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
