//! Walls that take more than one run to see.

use std::time::{Duration, Instant};

use attune_domain::runner::RunEnd;
use libtest_mimic::{Failed, Trial};

use crate::host::Host;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_stopped_busy_loop_keeps_its_output", stopped_busy_loop),
        trial("a_stopped_sleeper_keeps_its_output", stopped_sleeper),
        trial("two_runs_share_nothing", two_runs_share_nothing),
        trial("entropy_differs_between_runs", entropy_differs),
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

async fn hello_beside_busy_loops() -> Result<(), Failed> {
    let host = std::sync::Arc::new(Host::start().await);
    for _ in 0..4 {
        let (host, mut busy) = (host.clone(), host.job("busy", BUSY));
        busy.limits.wall_ms = 20_000;
        tokio::spawn(async move { host.run(busy).await });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let hello = host.job("hello", "print('hello')");
    let mut times = Vec::new();
    for _ in 0..50 {
        let started = Instant::now();
        let ran = host.run(hello.clone()).await;
        assert_eq!(ran.stdout, "hello\n");
        times.push(started.elapsed());
    }
    times.sort();
    eprintln!("hello beside four busy loops: p50 {:?}, max {:?}", times[25], times[49]);
    assert!(times[25] < Duration::from_millis(100));
    Ok(())
}
