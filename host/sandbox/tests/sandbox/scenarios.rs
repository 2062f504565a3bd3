//! Walls that take more than one run to see.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use attune_domain::id::TenantId;
use attune_domain::runner::{Lost, OutputSink, PARAMETER_FILE, RunEnd, Runner, Stream};
use bytes::Bytes;
use libtest_mimic::{Failed, Trial};
use rustix::process::{Pid, Signal};

use crate::host::{Host, job};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_stopped_busy_loop_keeps_its_output", stopped_busy_loop),
        trial("a_stopped_sleeper_keeps_its_output", stopped_sleeper),
        trial("two_runs_share_nothing", two_runs_share_nothing),
        trial("a_script_is_compiled_once", compiled_once),
        trial("a_warning_of_the_compiler_comes_every_time", warns_every_time),
        trial("entropy_differs_between_runs", entropy_differs),
        trial("a_killed_runner_takes_only_its_own_runs", killed_runner),
        trial("runs_do_not_wait_for_runners_that_cannot_be_started", no_runner),
        trial("a_run_survives_a_runner_that_dies_before_it_begins", dies_before_it_begins),
        trial("deleted_code_is_compiled_again", deleted_code),
        trial("a_tenant_without_a_runner_gets_one_from_idle_tenants", many_tenants),
        trial("parameters_come_as_a_file", parameter_file),
        trial("a_slow_server_slows_the_guest", slow_server),
        trial("a_runner_does_not_outlive_its_server", shutdown_ends_runners),
        trial("hello_beside_busy_loops", hello_beside_busy_loops),
    ]
}

fn trial<F>(name: &str, scenario: fn() -> F) -> Trial
where
    F: Future<Output = Result<(), Failed>> + 'static,
{
    Trial::test(format!("scenario::{name}"), move || {
        tokio::runtime::Runtime::new()?.block_on(scenario())
    })
}

const BUSY: &str = "print('so far', flush=True)\nwhile True:\n    pass\n";

async fn stopped_busy_loop() -> Result<(), Failed> {
    stopped(BUSY).await
}

async fn stopped_sleeper() -> Result<(), Failed> {
    stopped("import time\nprint('so far', flush=True)\ntime.sleep(60)\n").await
}

async fn stopped(script: &str) -> Result<(), Failed> {
    let host = Host::start().await;
    let stop = Box::pin(tokio::time::sleep(Duration::from_millis(300)));
    let ran = host.run_until(host.job("p", script), stop).await;
    assert_eq!(ran.report.end, RunEnd::Stopped);
    assert_eq!(ran.stdout, "so far\n");
    Ok(())
}

async fn two_runs_share_nothing() -> Result<(), Failed> {
    let host = Host::with(|settings| settings.runners = 1).await;
    let script = "\
import os, pathlib, json, builtins
print(os.listdir('/tmp'), hasattr(json, 'mark'), hasattr(builtins, 'mark'), 'MARK' in os.environ)
pathlib.Path('/tmp/mark').write_text('x')
json.mark = builtins.mark = 1
os.environ['MARK'] = '1'
";
    for _ in 0..5 {
        let ran = host.run(host.job("p", script)).await;
        assert_eq!(ran.stdout, "[] False False False\n", "{}", ran.stderr);
    }
    Ok(())
}

async fn compiled_once() -> Result<(), Failed> {
    let host = Host::with(|settings| settings.runners = 1).await;
    let long = "    print('never called', 1 + 2, [3, 4])\n".repeat(3000);
    let script = format!("def never():\n{long}\nprint('done')\n");
    let mut fuel = Vec::new();
    for _ in 0..2 {
        let ran = host.run(host.job("p", &script)).await;
        assert_eq!(ran.stdout, "done\n", "{}", ran.stderr);
        fuel.push(ran.report.usage.fuel);
    }
    assert!(fuel[1] < fuel[0] / 2, "{fuel:?}");
    Ok(())
}

async fn warns_every_time() -> Result<(), Failed> {
    let host = Host::with(|settings| settings.runners = 1).await;
    for _ in 0..3 {
        let ran = host.run(host.job("p", "print('\\d')\n")).await;
        assert_eq!(ran.stdout, "\\d\n");
        assert!(ran.stderr.contains("SyntaxWarning"), "{}", ran.stderr);
    }
    Ok(())
}

async fn entropy_differs() -> Result<(), Failed> {
    let host = Host::with(|settings| settings.runners = 1).await;
    let script = "\
import os, random, secrets, uuid
for value in (os.urandom(8).hex(), random.random(), secrets.token_hex(8), uuid.uuid4(), uuid.uuid1()):
    print(value)
";
    let mut seen = std::collections::HashSet::new();
    for _ in 0..5 {
        let ran = host.run(host.job("p", script)).await;
        assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stderr);
        for value in ran.stdout.lines() {
            assert!(seen.insert(value.to_owned()), "{value} came twice");
        }
    }
    Ok(())
}

async fn killed_runner() -> Result<(), Failed> {
    let host = Arc::new(Host::with(|settings| settings.runners = 1).await);
    let busy = host.job("busy", BUSY);
    let script = "import time\ntime.sleep(2)\nprint('unharmed')\n";
    let other = job(TenantId(2), host.pack(TenantId(2), "other", script));
    let (one, two) = (host.clone(), host.clone());
    let busy = tokio::spawn(async move { one.run(busy).await });
    let other = tokio::spawn(async move { two.run(other).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let victim = Pid::from_raw(host.runners()[0].try_into()?).unwrap();
    rustix::process::kill_process(victim, Signal::KILL)?;
    let busy = busy.await?;
    assert_eq!(busy.report.end, RunEnd::Lost(Lost::MaybeStarted));
    assert_eq!(busy.stdout, "so far\n");
    assert_eq!(host.run(host.job("next", "print('next')")).await.stdout, "next\n");
    assert_eq!(other.await?.stdout, "unharmed\n");
    Ok(())
}

async fn no_runner() -> Result<(), Failed> {
    let host = Host::with(|settings| settings.start_patience = Duration::ZERO).await;
    fs::remove_dir_all(host.path("scratch"))?;
    let ran = host.run(host.job("p", "print('hello')")).await;
    assert_eq!(ran.report.end, RunEnd::Lost(Lost::BeforeStart));
    fs::create_dir(host.path("scratch"))?;
    // The keeper of spares tries again by itself.
    let mut ran = host.run(host.job("p", "print('hello')")).await;
    while ran.report.end == RunEnd::Lost(Lost::BeforeStart) {
        ran = host.run(host.job("p", "print('hello')")).await;
    }
    assert_eq!(ran.stdout, "hello\n");
    Ok(())
}

async fn dies_before_it_begins() -> Result<(), Failed> {
    let host = Host::start().await;
    // The spare wants to make this folder when it is bound, and gives up.
    for scratch in fs::read_dir(host.path("scratch"))? {
        fs::create_dir(scratch?.path().join("prime"))?;
    }
    let ran = host.run(host.job("p", "print('hello')")).await;
    assert_eq!(ran.stdout, "hello\n", "{:?}", ran.report);
    Ok(())
}

async fn deleted_code() -> Result<(), Failed> {
    // Sees to it that there is code to copy.
    let other = Host::start().await;
    let own = other.path("compiled");
    let host = Host::with(|settings| {
        copy_folder(&settings.cache_dir, &own).unwrap();
        settings.cache_dir.clone_from(&own);
    });
    let host = host.await;
    fs::remove_dir_all(&own)?;
    // The first takes the runner that was there, the next ones need another.
    for tenant in [TenantId(1), TenantId(2)] {
        let ran = host.run(job(tenant, host.pack(tenant, "p", "print('hello')"))).await;
        assert_eq!(ran.stdout, "hello\n", "{:?}", ran.report);
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.path().extension().is_none_or(|extension| extension != "cwasm") {
            // Another test is just writing it.
            continue;
        }
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

async fn many_tenants() -> Result<(), Failed> {
    let host = Host::with(|settings| settings.runners = 1).await;
    let script = "import os\nprint(os.listdir('/tmp'))\n";
    for tenant in 1..=8 {
        let tenant = TenantId(tenant);
        let ran = host.run(job(tenant, host.pack(tenant, "p", script))).await;
        assert_eq!(ran.stdout, "[]\n", "{:?}", ran.report);
    }
    // Four bound at most, and the spares: one now, and perhaps one that is being started.
    assert!(host.runners().len() <= 6, "{:?}", host.runners());
    Ok(())
}

async fn parameter_file() -> Result<(), Failed> {
    let host = Host::start().await;
    let script = format!("import sys\nprint(open('{PARAMETER_FILE}').read(), sys.stdin.read())\n");
    let mut job = host.job("p", &script);
    job.parameter_file = Some("a='b'".into());
    job.stdin = "in".into();
    let ran = host.run(job).await;
    assert_eq!(ran.stdout, "a='b' in\n", "{}", ran.stderr);
    Ok(())
}

/// Takes its time for the first piece, and remembers how much had come by then.
#[derive(Default)]
struct Slow {
    total: usize,
}

#[async_trait]
impl OutputSink for Slow {
    async fn write(&mut self, _stream: Stream, bytes: Bytes) {
        if self.total == 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.total += bytes.len();
    }
}

async fn slow_server() -> Result<(), Failed> {
    let host = Host::start().await;
    let script = "\
import sys, time
begun = time.monotonic()
for _ in range(2_000):
    print('x' * 999)
print('slow' if time.monotonic() - begun > 0.5 else 'fast', file=sys.stderr)
sys.exit(7 if time.monotonic() - begun > 0.5 else 0)
";
    let mut slow = Slow::default();
    let place = host.sandbox.reserve().await;
    let forever = Box::pin(std::future::pending());
    let report = host.sandbox.run(place, host.job("p", script), &mut slow, forever).await;
    assert_eq!(report.end, RunEnd::Exited(7), "the guest did not wait");
    assert_eq!(slow.total, 2_000_000 + "slow\n".len());
    Ok(())
}

async fn shutdown_ends_runners() -> Result<(), Failed> {
    let host = Arc::new(Host::start().await);
    let (busy, job) = (host.clone(), host.job("busy", BUSY));
    let run = tokio::spawn(async move { busy.run(job).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    host.sandbox.shutdown().await;
    assert_eq!(run.await?.report.end, RunEnd::Lost(Lost::MaybeStarted));
    let deadline = Instant::now() + Duration::from_secs(5);
    while !host.runners().is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", host.runners());
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn hello_beside_busy_loops() -> Result<(), Failed> {
    let host = Arc::new(Host::start().await);
    let mut loops = Vec::new();
    // Written once: a run must not read the script while it is written again.
    let mut busy = host.job("busy", BUSY);
    busy.limits.wall_ms = 10_000;
    for _ in 0..4 {
        let (host, busy) = (host.clone(), busy.clone());
        loops.push(tokio::spawn(async move { host.run(busy).await }));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let hello = host.job("hello", "print('hello')");
    // A hello that had to wait for the loops' turns, 130 ms, would not be done in time.
    for _ in 0..100 {
        assert_eq!(host.run(hello.clone()).await.stdout, "hello\n");
    }
    for busy in loops {
        assert!(!busy.is_finished(), "hello waited for a loop: {:?}", busy.await?.report);
    }
    Ok(())
}
