//! A room for native runs over temporary folders, and what a run in it wrote.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::egress::{Body, Caller, Egress, EgressError, Network, Patience};
use attune_domain::id::{ExecutionId, TenantId};
use attune_domain::limits::Limits;
use attune_domain::native::{Interpreter, NativeJob, NativeRunner, Program};
use attune_domain::runner::{OutputSink, RunEnd, RunReport, StopSignal, Stream};
use attune_native::{Interpreters, Native, Settings, find_interpreters};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::LAUNCHER;

/// In the environment of a run, to find its processes by.
const MARK: &str = "ATTUNE_TEST_MARK";

/// A room with folders of its own, gone when it is dropped.
pub(crate) struct Host {
    pub(crate) native: Arc<Native>,
    pub(crate) runtime: Runtime,
    folders: TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) report: RunReport,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Ran {
    pub(crate) fn out(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// What it wrote, if it exited with 0.
    pub(crate) fn well(&self) -> &str {
        assert_eq!(self.report.end, RunEnd::Exited(0), "{}", String::from_utf8_lossy(&self.stderr));
        self.out()
    }
}

impl Host {
    pub(crate) fn start() -> Host {
        Host::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Host {
        let folders = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let packs = folders.path().join("packs");
        fs::create_dir(&packs).unwrap();
        // As a server keeps it.
        fs::set_permissions(&packs, fs::Permissions::from_mode(0o700)).unwrap();
        let interpreters = find_interpreters(Interpreters::default());
        let mut settings = Settings::new(Arc::new(Echo), interpreters, packs);
        // The second argument only tells the launcher of this host from those of others.
        settings.args = vec![LAUNCHER.into(), folders.path().into()];
        change(&mut settings);
        let runtime = Runtime::new().unwrap();
        let native = Native::start(settings).unwrap();
        Host { native, runtime, folders }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folders.path().join(below)
    }

    /// A job that runs a bash script without a pack.
    pub(crate) fn script(&self, script: &str) -> NativeJob {
        NativeJob {
            caller: nobody(),
            program: Program::Script(Bytes::copy_from_slice(script.as_bytes())),
            pack_folder: None,
            env: BTreeMap::from([(MARK.to_owned(), self.mark())]),
            stdin: Bytes::new(),
            parameter_file: None,
            limits: Limits { wall_ms: 60_000, ..Limits::default() },
        }
    }

    /// A job that runs a file of a pack that has just this one.
    pub(crate) fn file(&self, interpreter: Interpreter, path: &str, content: &str) -> NativeJob {
        let folder = self.path("packs/1/pack");
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        for path in [&file, &folder, file.parent().unwrap()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        NativeJob {
            program: Program::File { interpreter, path: path.to_owned() },
            pack_folder: Some(folder),
            ..self.script("")
        }
    }

    pub(crate) fn python(&self, code: &str) -> NativeJob {
        self.file(Interpreter::Python, "actions/main.py", code)
    }

    pub(crate) fn run(&self, job: NativeJob) -> Ran {
        self.runtime.block_on(self.ran(job))
    }

    /// The stop signal comes when the program has written something.
    pub(crate) fn run_until_it_writes(&self, job: NativeJob) -> Ran {
        let (mut sink, mut seen) = Written::new();
        self.runtime.block_on(async {
            let stop: StopSignal = Box::pin(async move {
                seen.wait_for(|bytes| *bytes > 0).await.unwrap();
            });
            let report = self.native.run(job, &mut sink, stop).await;
            sink.ran(report)
        })
    }

    pub(crate) fn ran(&self, job: NativeJob) -> impl Future<Output = Ran> + Send + 'static {
        let native = self.native.clone();
        async move {
            let (mut sink, _) = Written::new();
            let report = native.run(job, &mut sink, Box::pin(std::future::pending())).await;
            sink.ran(report)
        }
    }

    /// What all processes of this host's runs have in their environment.
    pub(crate) fn mark(&self) -> String {
        self.folders.path().display().to_string()
    }

    /// Command lines of the processes of its runs that are alive now.
    pub(crate) fn alive(&self) -> Vec<String> {
        let programs = self.programs();
        programs.iter().map(|process| String::from_utf8_lossy(&cmdline(process)).into()).collect()
    }

    /// Who the processes of its runs are, as the host sees it.
    pub(crate) fn program_uids(&self) -> Vec<u32> {
        let programs = self.programs();
        programs.iter().filter_map(|process| Some(fs::metadata(process).ok()?.uid())).collect()
    }

    fn programs(&self) -> Vec<PathBuf> {
        programs(&self.mark())
    }

    /// The launcher and the inits of its runs.
    pub(crate) fn launchers(&self) -> Vec<u32> {
        launchers(&self.mark())
    }
}

/// Below /proc.
pub(crate) fn programs(mark: &str) -> Vec<PathBuf> {
    let mark = format!("{MARK}={mark}");
    let ours = |process: &PathBuf| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    };
    processes().into_iter().filter(ours).collect()
}

pub(crate) fn launchers(mark: &str) -> Vec<u32> {
    let ours = |process: &PathBuf| {
        cmdline(process).split(|byte| *byte == 0).any(|part| part == mark.as_bytes())
    };
    let ours = processes().into_iter().filter(ours);
    ours.map(|process| process.file_name().unwrap().to_str().unwrap().parse().unwrap()).collect()
}

fn processes() -> Vec<PathBuf> {
    let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_str().unwrap().parse::<u32>().is_ok()).collect()
}

fn cmdline(process: &std::path::Path) -> Vec<u8> {
    fs::read(process.join("cmdline")).unwrap_or_default()
}

fn nobody() -> Caller {
    Caller {
        scope: Scope::of_peer(TenantId(1)),
        execution: ExecutionId(1),
        action: "tests.action".into(),
        executor: None,
        permission_sets: [].into(),
        network: Arc::new(Network::default()),
    }
}

/// Keeps everything, and tells how much it has.
pub(crate) struct Written {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    seen: watch::Sender<usize>,
}

impl Written {
    pub(crate) fn new() -> (Written, watch::Receiver<usize>) {
        let (seen, receiver) = watch::channel(0);
        (Written { stdout: Vec::new(), stderr: Vec::new(), seen }, receiver)
    }

    fn ran(self, report: RunReport) -> Ran {
        Ran { report, stdout: self.stdout, stderr: self.stderr }
    }
}

#[async_trait]
impl OutputSink for Written {
    async fn write(&mut self, stream: Stream, bytes: Bytes) {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(&bytes),
            Stream::Stderr => self.stderr.extend_from_slice(&bytes),
        }
        self.seen.send_modify(|seen| *seen += bytes.len());
    }
}

/// Stands at the door and tells everybody which action he is.
struct Echo;

#[async_trait]
impl Egress for Echo {
    async fn send(
        &self,
        _caller: &Caller,
        _request: http::Request<Option<Body>>,
        _patience: Patience,
    ) -> Result<http::Response<Body>, EgressError> {
        Err(EgressError::Unavailable)
    }

    async fn attend(&self, caller: &Caller, door: TcpListener) {
        let door = tokio::net::TcpListener::from_std(door).unwrap();
        loop {
            let (visitor, _) = door.accept().await.unwrap();
            let visitor = visitor.into_std().unwrap();
            let action = caller.action.clone();
            tokio::task::spawn_blocking(move || answer(visitor, &action));
        }
    }
}

fn answer(mut visitor: std::net::TcpStream, action: &str) {
    visitor.set_nonblocking(false).unwrap();
    let read = visitor.read(&mut [0; 4096]).unwrap();
    let length = action.len();
    if read > 0 {
        write!(visitor, "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{action}").unwrap();
    }
}
