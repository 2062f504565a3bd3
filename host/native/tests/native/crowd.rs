//! Many runs, at once and one after the other.

use std::fs;
use std::process::{Command, ExitCode};
use std::time::Duration;

use attune_domain::runner::RunEnd;

use crate::Case;
use crate::host::Host;

/// The argument that makes this binary a counter: other trials open descriptors, too.
pub(crate) const COUNTER: &str = "attune-test-counter";

pub(crate) const TRIALS: &[Case] = &[
    ("fifty_runs_at_once", |host| {
        let script =
            |number| format!("echo {number} >/tmp/mine; sleep 0.2; cat /tmp/mine; ls /tmp");
        let outputs = host.runtime.block_on(async {
            let runs = (0..50).map(|number| host.ran(host.script(&script(number))));
            let runs: Vec<_> = runs.map(|run| host.runtime.spawn(run)).collect();
            let mut outputs = Vec::new();
            for run in runs {
                outputs.push(run.await.unwrap().well().to_owned());
            }
            outputs
        });
        let expected: Vec<_> = (0..50).map(|number| format!("{number}\nmine\n")).collect();
        assert_eq!(outputs, expected);
        assert!(host.alive().is_empty());
    }),
    ("two_hundred_runs_leave_nothing", |_| {
        let counted = Command::new(std::env::current_exe().unwrap()).arg(COUNTER).status();
        assert!(counted.unwrap().success());
    }),
];

/// Alone in its process.
pub(crate) fn count() -> ExitCode {
    let host = Host::start();
    // The first runs open what is kept.
    for _ in 0..3 {
        host.run(host.script("true"));
    }
    let count = || (descriptors("self"), descriptors(&launcher(&host)), host.launchers().len());
    until_settled(&host);
    let before = count();
    for _ in 0..200 {
        assert_eq!(host.run(host.script("true")).report.end, RunEnd::Exited(0));
    }
    assert!(host.alive().is_empty());
    until_settled(&host);
    assert_eq!(count(), before);
    ExitCode::SUCCESS
}

/// Inits take a moment to vanish, and until then the server has a descriptor of each.
fn until_settled(host: &Host) {
    while host.launchers().len() > 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The task that waits for the death of the last one has a turn.
    host.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
}

fn launcher(host: &Host) -> String {
    host.launchers().iter().min().unwrap().to_string()
}

fn descriptors(process: &str) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}
