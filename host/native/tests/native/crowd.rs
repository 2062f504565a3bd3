//! Many runs, at once and one after the other.

use std::collections::BTreeSet;
use std::fs;

use attune_domain::runner::RunEnd;

use crate::Case;
use crate::host::Host;

pub(crate) const TRIALS: &[Case] = &[
    ("fifty_runs_at_once", |host| {
        let outputs = host.runtime.block_on(async {
            let runs = (0..50).map(|number| {
                let run = host.ran(host.script(&format!("echo {number} >/tmp/mine; sleep 0.2; cat /tmp/mine; ls /tmp")));
                host.runtime.spawn(run)
            });
            let runs: Vec<_> = runs.collect();
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
    ("two_hundred_runs_leave_nothing", |host| {
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        // The first run opens what is kept.
        host.run(host.script("true"));
        let descriptors = descriptors_of(host);
        for _ in 0..200 {
            assert_eq!(host.run(host.script("true")).report.end, RunEnd::Exited(0));
        }
        assert!(host.alive().is_empty());
        let _ = open;
        let left: BTreeSet<_> = descriptors_of(host).difference(&descriptors).cloned().collect();
        assert!(left.len() < 20, "{left:?}");
        let launcher = *host.launchers().iter().min().unwrap();
        let of_launcher = fs::read_dir(format!("/proc/{launcher}/fd")).unwrap().count();
        assert!(of_launcher < 20, "the launcher has {of_launcher} descriptors");
    }),
];

/// Of this process, with what they refer to.
fn descriptors_of(_: &Host) -> BTreeSet<String> {
    let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
    all.filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|target| target.display().to_string())
        .collect()
}
