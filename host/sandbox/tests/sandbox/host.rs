//! A sandbox over temporary folders, and what a run in it wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::egress::{Caller, Network, NoEgress};
use attune_domain::id::{ExecutionId, TenantId};
use attune_domain::limits::Limits;
use attune_domain::runner::{
    Entry, Job, OutputSink, RunReport, Runner, Runtime, StopSignal, Stream,
};
use attune_sandbox::{RuntimeImage, Sandbox, Settings};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::RUNNER;

pub(crate) const TENANT: TenantId = TenantId(1);

/// A sandbox with folders of its own, gone when it is dropped.
pub(crate) struct Host {
    pub(crate) sandbox: Arc<Sandbox>,
    folders: TempDir,
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) report: RunReport,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Host {
    pub(crate) async fn start() -> Host {
        Host::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Host {
        let temporary = repository().join("target/tmp");
        fs::create_dir_all(&temporary).unwrap();
        let folders = tempfile::tempdir_in(&temporary).unwrap();
        let below = |name: &str| folders.path().join(name);
        // Shared by all tests, so that one of them compiles for all.
        let cache = temporary.join("compiled");
        let mut settings = Settings::new(vec![python()], cache, below("scratch"), below("packs"));
        // The second argument only tells the runners of this host from those of others.
        settings.args = vec![RUNNER.into(), folders.path().into()];
        change(&mut settings);
        let sandbox = Sandbox::start(settings, Arc::new(NoEgress)).await.unwrap();
        Host { sandbox, folders }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folders.path().join(below)
    }

    /// The process ids of this host's runners, those that used the most processor time first.
    pub(crate) fn runners(&self) -> Vec<u32> {
        let mut runners = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let cmdline = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let argument = self.folders.path().as_os_str().as_encoded_bytes();
            if let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>()
                && cmdline.split(|byte| *byte == 0).any(|part| part == argument)
            {
                let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
                let time = stat.split(' ').nth(13).and_then(|ticks| ticks.parse::<u64>().ok());
                runners.push((time.unwrap_or(0), pid));
            }
        }
        runners.sort_unstable_by(|one, other| other.cmp(one));
        runners.into_iter().map(|(_, pid)| pid).collect()
    }

    /// A pack of the tenant with this one script.
    pub(crate) fn pack(&self, tenant: TenantId, name: &str, script: &str) -> PathBuf {
        let pack = self.path("packs").join(tenant.to_string()).join(name);
        fs::create_dir_all(pack.join("actions")).unwrap();
        fs::write(pack.join("actions/main.py"), script).unwrap();
        pack
    }

    /// A job that runs this script, with the default limits.
    pub(crate) fn job(&self, name: &str, script: &str) -> Job {
        job(TENANT, self.pack(TENANT, name, script))
    }

    pub(crate) async fn run(&self, job: Job) -> Ran {
        self.run_until(job, Box::pin(std::future::pending())).await
    }

    pub(crate) async fn run_until(&self, job: Job, stop: StopSignal) -> Ran {
        let mut written = Written::default();
        let place = self.sandbox.reserve().await;
        let report = self.sandbox.run(place, job, &mut written, stop).await;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { report, stdout: text(written.stdout), stderr: text(written.stderr) }
    }
}

/// The run of a tenant, without any rights in the network.
fn nobody(tenant: TenantId) -> Caller {
    Caller {
        scope: Scope::of_peer(tenant),
        execution: ExecutionId(1),
        action: "tests.action".into(),
        executor: None,
        permission_sets: [].into(),
        network: Arc::new(Network::default()),
    }
}

pub(crate) fn job(tenant: TenantId, pack_folder: PathBuf) -> Job {
    Job {
        caller: nobody(tenant),
        runtime: Runtime::Python,
        pack_folder,
        entry: Entry { file: "actions/main.py".to_owned(), function: None },
        env: BTreeMap::new(),
        stdin: Bytes::new(),
        parameter_file: None,
        params: serde_json::Map::new(),
        context: serde_json::Map::new(),
        limits: Limits { wall_ms: 30_000, ..Limits::default() },
    }
}

#[derive(Default)]
struct Written {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[async_trait]
impl OutputSink for Written {
    async fn write(&mut self, stream: Stream, bytes: Bytes) {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(&bytes),
            Stream::Stderr => self.stderr.extend_from_slice(&bytes),
        }
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn python() -> RuntimeImage {
    let path = repository().join("runtimes/python.wasm");
    let wasm = fs::read(&path).unwrap_or_else(|error| {
        panic!("{error}: {}; run runtimes/python/build.py", path.display())
    });
    let digest = hex::encode(Sha256::digest(&wasm));
    RuntimeImage { runtime: Runtime::Python, digest, wasm: wasm.into() }
}
