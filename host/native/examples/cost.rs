//! What a native run costs over the bare start of the same program: times at the middle, and
//! their ratio. `cargo run --release -p attune-native --example cost`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::egress::{Caller, Network, NoEgress};
use attune_domain::id::{ExecutionId, TenantId};
use attune_domain::limits::Limits;
use attune_domain::native::{NativeJob, NativeRunner, Program};
use attune_domain::runner::{OutputSink, RunEnd, Stream};
use attune_native::{Interpreters, Native, Settings, find_interpreters};
use bytes::Bytes;

const LAUNCHER: &str = "attune-cost-launcher";
const ROUNDS: usize = 300;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(LAUNCHER) {
        return attune_native::launcher_main();
    }
    let packs = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let native = native(packs.path());
    let (mut bare, mut confined) = (Vec::new(), Vec::new());
    // In turns, so that whatever else the machine does is in both.
    for _ in 0..ROUNDS {
        bare.push(timed(|| {
            assert!(Command::new("bash").args(["-c", "true"]).status().unwrap().success());
        }));
        confined.push(timed(|| {
            let mut nowhere = Nowhere;
            let run = native.run(job(), &mut nowhere, Box::pin(std::future::pending()));
            assert_eq!(runtime.block_on(run).end, RunEnd::Exited(0));
        }));
    }
    let (bare, confined) = (middle(bare), middle(confined));
    println!(
        "bash -c true: bare {bare:?}, confined {confined:?}: {:.2} times",
        confined.as_secs_f64() / bare.as_secs_f64()
    );
    ExitCode::SUCCESS
}

fn native(packs: &Path) -> Arc<Native> {
    let interpreters = find_interpreters(Interpreters::default());
    let mut settings = Settings::new(Arc::new(NoEgress), interpreters, packs.to_owned());
    settings.args = vec![LAUNCHER.into()];
    Native::start(settings).unwrap()
}

fn job() -> NativeJob {
    NativeJob {
        caller: Caller {
            scope: Scope::of_peer(TenantId(1)),
            execution: ExecutionId(1),
            action: "cost".into(),
            executor: None,
            permission_sets: [].into(),
            network: Arc::new(Network::default()),
        },
        program: Program::Script("true".into()),
        pack_folder: None,
        env: BTreeMap::new(),
        stdin: Bytes::new(),
        parameter_file: None,
        limits: Limits::default(),
    }
}

fn timed(what: impl FnOnce()) -> Duration {
    let started_at = Instant::now();
    what();
    started_at.elapsed()
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

struct Nowhere;

#[async_trait]
impl OutputSink for Nowhere {
    async fn write(&mut self, _: Stream, _: Bytes) {}
}
