//! The engine alone: the bench's `hello` through the sandbox, without HTTP and without a
//! database, at the server's own settings. `make bench` measures the product against it.

#![expect(clippy::print_stdout, reason = "its output is its product")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::egress::{Caller, Network, NoEgress};
use attune_domain::id::{ExecutionId, TenantId};
use attune_domain::limits::Limits;
use attune_domain::runner::{Entry, Job, OutputSink, RunEnd, RunReport, Runner, Runtime, Stream};
use attune_sandbox::{RuntimeImage, Sandbox, Settings};
use bytes::Bytes;
use futures::StreamExt;
use sha2::{Digest, Sha256};

const TENANT: TenantId = TenantId(1);
const WARM_UP: usize = 50;
const SEQUENTIAL: usize = 500;
const BURST: u32 = 1000;
const IN_FLIGHT: usize = 32;

fn main() -> ExitCode {
    // The sandbox starts this program again as its runners.
    if std::env::args().nth(1).as_deref() == Some("runner") {
        return attune_sandbox::runner_main();
    }
    let runtime = tokio::runtime::Runtime::new().expect("threads for the bench");
    runtime.block_on(measure());
    ExitCode::SUCCESS
}

async fn measure() {
    let folders = tempfile::tempdir().expect("a temporary folder");
    let pack = folders.path().join("packs").join(TENANT.to_string()).join("bench");
    copy_pack(&repository().join("tests/packs/bench"), &pack);
    let settings = Settings::new(
        vec![python()],
        repository().join("target/tmp/compiled"),
        folders.path().join("scratch"),
        folders.path().join("packs"),
    );
    let sandbox = Sandbox::start(settings, Arc::new(NoEgress)).await.expect("a sandbox");
    for _ in 0..WARM_UP {
        run(&sandbox, &pack).await;
    }
    let mut times = Vec::with_capacity(SEQUENTIAL);
    for _ in 0..SEQUENTIAL {
        times.push(run(&sandbox, &pack).await.as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |quantile: usize| times[times.len() * quantile / 100];
    let started = Instant::now();
    let burst = futures::stream::iter(0..BURST).map(|_| run(&sandbox, &pack));
    burst.buffer_unordered(IN_FLIGHT).for_each(|_| std::future::ready(())).await;
    let measured = serde_json::json!({
        "sequential_ms": {"p50": at(50), "p95": at(95), "p99": at(99)},
        "per_second": f64::from(BURST) / started.elapsed().as_secs_f64(),
    });
    println!("{measured}");
    sandbox.shutdown().await;
}

async fn run(sandbox: &Arc<Sandbox>, pack: &Path) -> Duration {
    let started = Instant::now();
    let place = sandbox.reserve().await;
    let never = Box::pin(std::future::pending());
    let report: RunReport = sandbox.run(place, job(pack), &mut Nowhere, never).await;
    assert_eq!(report.end, RunEnd::Exited(0));
    started.elapsed()
}

/// The run of a tenant, without any rights in the network.
fn nobody() -> Caller {
    Caller {
        scope: Scope::of_peer(TENANT),
        execution: ExecutionId(1),
        action: "tests.action".into(),
        executor: None,
        permission_sets: [].into(),
        network: Arc::new(Network::default()),
    }
}

fn job(pack: &Path) -> Job {
    Job {
        caller: nobody(),
        runtime: Runtime::Python,
        pack_folder: pack.to_owned(),
        entry: Entry { file: "actions/hello.py".to_owned(), function: None },
        env: BTreeMap::from([("ATTUNE_EXEC_ID".to_owned(), "1".to_owned())]),
        stdin: Bytes::from_static(b"{\"name\":\"bench\"}\n"),
        parameter_file: None,
        params: serde_json::Map::new(),
        context: serde_json::Map::new(),
        limits: Limits::default(),
    }
}

struct Nowhere;

#[async_trait]
impl OutputSink for Nowhere {
    async fn write(&mut self, _stream: Stream, _bytes: Bytes) {}
}

fn copy_pack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("actions")).expect("a folder for the pack");
    for entry in std::fs::read_dir(from.join("actions")).expect("the bench's pack").flatten() {
        if entry.path().is_file() {
            let copy = to.join("actions").join(entry.file_name());
            std::fs::copy(entry.path(), copy).expect("a copy of the pack");
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn python() -> RuntimeImage {
    let wasm = std::fs::read(repository().join("runtimes/python.wasm"))
        .expect("runtimes/python.wasm; make it with runtimes/python/build.py");
    let digest = hex::encode(Sha256::digest(&wasm));
    RuntimeImage { runtime: Runtime::Python, digest, wasm: wasm.into() }
}
