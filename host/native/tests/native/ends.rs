//! How runs are ended, and that nothing is left of them.

use std::future::pending;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use attune_domain::native::NativeRunner;
use attune_domain::runner::{LimitHit, Lost, RunEnd};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};

use crate::Case;
use crate::host::{self, Host, Ran, Written};

/// The argument that makes this binary a server that is going to be killed.
pub(crate) const SERVER: &str = "attune-test-server";

/// Ways for a process to leave its session and its parent.
const DAEMONS: &str = "setsid sleep 1000 & (setsid bash -c 'sleep 1000 & sleep 1000' &) & \
                       nohup sleep 1000 >/dev/null 2>&1 </dev/null & disown -a; ";

pub(crate) const TRIALS: &[Case] = &[
    ("the_deadline_asks_first", |host| {
        let mut job = host.script("trap 'echo asked; exit 3' TERM; sleep 1000 & wait");
        job.limits.wall_ms = 300;
        let ran = host.run(job);
        assert_eq!(ran.report.end, RunEnd::Limit(LimitHit::Deadline));
        assert_eq!(ran.out(), "asked\n");
        nothing_is_left(host);
    }),
    ("the_deadline_reaches_the_whole_group", |host| {
        let mut job = host.script("bash -c 'trap \"echo asked; exit\" TERM; sleep 1000 & wait'");
        job.limits.wall_ms = 300;
        assert_eq!(host.run(job).out(), "asked\n");
    }),
    ("who_does_not_listen_is_killed", |_| {
        let host = Host::with(|settings| settings.deadline_grace = Duration::from_millis(100));
        let mut job = host.script("trap '' TERM; while true; do sleep 1000; done");
        job.limits.wall_ms = 300;
        assert_eq!(host.run(job).report.end, RunEnd::Limit(LimitHit::Deadline));
        nothing_is_left(&host);
    }),
    ("a_cancel_asks_first", |host| {
        let job = host.script("trap 'echo asked; exit 3' TERM; echo ready; sleep 1000 & wait");
        let ran = host.run_until_it_writes(job);
        assert_eq!((&ran.report.end, ran.out()), (&RunEnd::Stopped, "ready\nasked\n"));
        nothing_is_left(host);
    }),
    ("a_cancel_kills_in_the_end", |_| {
        let host = Host::with(|settings| settings.cancel_grace = Duration::from_millis(100));
        let job = host.script("trap '' TERM; echo ready; while true; do sleep 1000; done");
        assert_eq!(host.run_until_it_writes(job).report.end, RunEnd::Stopped);
        nothing_is_left(&host);
    }),
    ("a_run_that_is_stopped_before_it_begins_does_not_begin", |host| {
        let (mut sink, seen) = Written::new();
        let stop = Box::pin(std::future::ready(()));
        let report = host.runtime.block_on(host.native.run(host.script("echo x"), &mut sink, stop));
        assert_eq!((report.end, *seen.borrow()), (RunEnd::Stopped, 0));
        nothing_is_left(host);
    }),
    ("daemons_do_not_survive", |host| {
        let ran = host.run(host.script(&format!("{DAEMONS} echo end")));
        assert_eq!(ran.well(), "end\n");
        nothing_is_left(host);
    }),
    ("who_holds_the_output_open_does_not_hold_the_run", |host| {
        assert_eq!(host.run(host.script("sleep 1000 & echo end")).well(), "end\n");
        nothing_is_left(host);
    }),
    ("a_fork_bomb_does_not_survive", |host| {
        let mut job = host.script(":(){ :|:& };: ; echo lit; while true; do sleep 1; done");
        job.limits.wall_ms = 2_000;
        let ran = host.run(job);
        assert_eq!(ran.report.end, RunEnd::Limit(LimitHit::Deadline));
        nothing_is_left(host);
        assert_eq!(host.run(host.script("echo next")).well(), "next\n");
    }),
    ("the_dead_are_buried", |host| {
        let script = "for i in {1..50}; do (sleep 0.01 &) ; done; sleep 0.5; \
                      grep -l '^State:.*zombie' /proc/[0-9]*/status | wc -l";
        assert_eq!(host.run(host.script(script)).well(), "0\n");
    }),
    ("a_stream_keeps_so_much", |host| {
        let mut job = host.script("head -c 100000 /dev/zero; head -c 70 /dev/zero >&2");
        job.limits.stream_bytes = 1000;
        let ran = host.run(job);
        assert_eq!(ran.report.end, RunEnd::Exited(0));
        assert_eq!((ran.stdout.len(), ran.stderr.len()), (1000, 70));
        assert_eq!((ran.report.stdout_dropped, ran.report.stderr_dropped), (99_000, 0));
        assert_eq!(ran.report.usage.output_bytes, 100_070);
    }),
    ("endless_output_ends", |host| {
        let mut job = host.script("trap '' TERM PIPE; while true; do yes 2>/dev/null; done");
        job.limits.output_bytes = 1_000_000;
        let ran = host.run(job);
        assert_eq!(ran.report.end, RunEnd::Limit(LimitHit::Output));
        assert_eq!(ran.stdout.len(), 1_000_000);
        nothing_is_left(host);
    }),
    ("much_output_of_a_short_program_is_whole", |host| {
        let ran = host.run(host.script("head -c 5000000 /dev/zero; echo -n end >&2"));
        assert_eq!((ran.stdout.len(), ran.stderr.as_slice()), (5_000_000, b"end".as_slice()));
    }),
    ("much_memory_ends_a_run", |host| {
        let mut job = host.python("x = b'x' * (300 << 20); import time; time.sleep(1000)");
        job.limits.memory_bytes = 200 << 20;
        let ran = host.run(job);
        assert_eq!(ran.report.end, RunEnd::Limit(LimitHit::Memory));
        assert!(ran.report.usage.peak_memory_bytes > 200 << 20);
        nothing_is_left(host);
    }),
    ("memory_of_all_processes_counts", |host| {
        let code = "import os, time\nfor _ in range(4): os.fork()\n\
                    x = b'x' * (30 << 20)\ntime.sleep(1000)";
        let mut job = host.python(code);
        job.limits.memory_bytes = 256 << 20;
        assert_eq!(host.run(job).report.end, RunEnd::Limit(LimitHit::Memory));
    }),
    ("memory_that_is_shared_counts_once", |host| {
        let code = "import os, time\nx = b'x' * (100 << 20)\n\
                    children = [os.fork() for _ in range(1)]\n\
                    for _ in range(2):\n    os.fork()\n\
                    time.sleep(0.5)";
        let mut job = host.python(code);
        job.limits.memory_bytes = 256 << 20;
        assert_eq!(host.run(job).report.end, RunEnd::Exited(0));
    }),
    ("a_run_whose_launcher_dies_is_lost_and_the_next_one_works", a_launcher_dies),
    ("a_run_that_is_dropped_dies", a_run_is_dropped),
    ("runs_die_with_the_server", runs_die_with_the_server),
];

/// At once: whoever was told that a run has ended may rely on it.
fn nothing_is_left(host: &Host) {
    assert_eq!(host.alive(), Vec::<String>::new());
}

/// A server that is killed has no time to tell anybody anything.
fn runs_die_with_the_server(_: &Host) {
    let program = std::env::current_exe().unwrap();
    let mut server = Command::new(program).arg(SERVER).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mark = lines.next().unwrap().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let (programs, launchers) = (host::programs(&mark).len(), host::launchers(&mark).len());
    assert!(programs >= 2 && launchers == 2, "{programs} programs, {launchers} launchers");
    server.kill().unwrap();
    server.wait().unwrap();
    wait_until(|| host::programs(&mark).is_empty() && host::launchers(&mark).is_empty());
    std::fs::remove_dir_all(mark).unwrap();
}

/// The life of a server that has one run and is going to be killed. Tells its mark, and when the
/// run has begun.
pub(crate) fn serve() -> ExitCode {
    let host = Host::start();
    let mut out = std::io::stdout();
    writeln!(out, "{}", host.mark()).unwrap();
    let (mut sink, mut seen) = Written::new();
    let job = host.script(&format!("{DAEMONS} echo ready; sleep 1000"));
    host.runtime.block_on(async {
        let tell = async {
            seen.wait_for(|bytes| *bytes > 0).await.unwrap();
            writeln!(out, "ready").unwrap();
            pending::<()>().await;
        };
        tokio::select! {
            report = host.native.run(job, &mut sink, Box::pin(pending())) => panic!("{report:?}"),
            () = tell => {}
        }
    });
    ExitCode::FAILURE
}

fn wait_until(fact: impl Fn() -> bool) {
    while !fact() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_launcher_dies(host: &Host) {
    let (mut sink, mut seen) = Written::new();
    let job = host.script(&format!("{DAEMONS} echo ready; sleep 1000"));
    let launcher = *host.launchers().iter().min().unwrap();
    let report = host.runtime.block_on(async {
        let kill = async {
            seen.wait_for(|bytes| *bytes > 0).await.unwrap();
            let launcher = Pid::from_raw(launcher.cast_signed()).unwrap();
            kill_process(launcher, Signal::KILL).unwrap();
            pending::<()>().await;
        };
        tokio::select! {
            report = host.native.run(job, &mut sink, Box::pin(pending())) => report,
            () = kill => unreachable!(),
        }
    });
    assert_eq!(report.end, RunEnd::Lost(Lost::MaybeStarted));
    nothing_is_left(host);
    assert_eq!(host.run(host.script("echo next")).well(), "next\n");
}

fn a_run_is_dropped(host: &Host) {
    let (mut sink, mut seen) = Written::new();
    let job = host.script(&format!("{DAEMONS} echo ready; sleep 1000"));
    host.runtime.block_on(async {
        tokio::select! {
            report = host.native.run(job, &mut sink, Box::pin(pending())) => panic!("{report:?}"),
            _ = seen.wait_for(|bytes| *bytes > 0) => {}
        }
    });
    wait_until(|| host.alive().is_empty());
    let ran: Ran = host.run(host.script("echo next"));
    assert_eq!(ran.stdout, Bytes::from("next\n"));
}
