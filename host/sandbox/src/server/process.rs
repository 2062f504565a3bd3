//! One runner process, from its start until it is bound to a tenant.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use attune_domain::runner::Runtime;
use futures::{SinkExt, StreamExt};
use rustix::mm::{Advice, madvise};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::spawner::Spawner;
use crate::SandboxError;
use crate::guest::scratch::remove_tree;
use crate::protocol::{
    Folders, FromRunner, MAX_FRAME_TO_RUNNER, MAX_FRAME_TO_SERVER, ToRunner, codec, decode, encode,
};
use crate::settings::Settings;

/// Anything but compiling takes milliseconds; a runner that is silent for so long is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// Compiling a runtime takes 5 to 15 s on two cores; more on a slow machine.
const COMPILE_PATIENCE: Duration = Duration::from_mins(10);
/// This program, also after its file was replaced by another version or deleted: runners
/// speak the protocol of the server that starts them.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// A multiple of every page size.
const PAGE: usize = 64 << 10;

/// A running child that is killed, reaped and cleaned up after when it is dropped.
pub(super) struct Process {
    child: Child,
    scratch: PathBuf,
    killed: bool,
}

impl Process {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process now. It is reaped when this is dropped.
    pub(super) fn kill(&mut self) {
        self.killed = true;
        // Fails only if it has ended already.
        let _ended_already = self.child.kill();
    }

    /// Whether the server itself has ended it.
    pub(super) fn was_killed(&self) -> bool {
        self.killed
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // Returns at once: a killed process does not linger.
        let _reaped = self.child.wait();
        if let Err(error) = remove_tree(&self.scratch) {
            tracing::warn!(%error, path = %self.scratch.display(), "scratch space was left behind");
        }
    }
}

/// A runner that belongs to no tenant.
pub(super) struct Unbound {
    pub(super) process: Process,
    pub(super) socket: Framed<tokio::net::UnixStream, LengthDelimitedCodec>,
}

impl Unbound {
    /// A process that speaks the protocol, and can do nothing yet.
    pub(super) async fn start(settings: &Settings, spawner: &Spawner) -> io::Result<Unbound> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let scratch = new_scratch(&settings.scratch_dir)?;
        let mut command = Command::new(THIS_PROGRAM);
        command
            .arg0("attune")
            .args(&settings.args)
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        let child = spawner.spawn(command).await?;
        let process = Process { child, scratch, killed: false };
        let socket = tokio::net::UnixStream::from_std(ours)?;
        Ok(Unbound { process, socket: Framed::new(socket, codec(MAX_FRAME_TO_RUNNER)) })
    }

    /// Compiled code for each runtime, compiled now where it is missing.
    ///
    /// A process of its own, because compiling leaves hundreds of megabytes behind.
    pub(super) async fn compile(
        mut self,
        settings: &Settings,
    ) -> Result<Vec<(Runtime, PathBuf)>, SandboxError> {
        let mut images = Vec::new();
        for image in &settings.runtimes {
            let (cache, digest) = (settings.cache_dir.clone(), image.digest.clone());
            let find = ToRunner::Find { cache: cache.clone(), digest: digest.clone() };
            let path = match self.ask(&find, &[], PATIENCE).await? {
                FromRunner::Found(Ok(Some(path))) => path,
                FromRunner::Found(Ok(None)) => {
                    tracing::info!(runtime = ?image.runtime, "compiling the runtime, once for this machine");
                    let compile = ToRunner::Compile { cache, digest };
                    let compiled = self.ask(&compile, &image.wasm, COMPILE_PATIENCE).await;
                    page_out(&image.wasm);
                    match compiled? {
                        FromRunner::Compiled(Ok(path)) => path,
                        FromRunner::Compiled(Err(problem)) => {
                            return Err(SandboxError::Image(problem));
                        }
                        other => return Err(unexpected(&other)),
                    }
                }
                FromRunner::Found(Err(problem)) => return Err(SandboxError::Image(problem)),
                other => return Err(unexpected(&other)),
            };
            images.push((image.runtime, path));
        }
        Ok(images)
    }

    /// Makes it ready to be bound.
    pub(super) async fn load(
        &mut self,
        settings: &Settings,
        images: &[(Runtime, PathBuf)],
    ) -> Result<(), SandboxError> {
        let clamp = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let load = ToRunner::Load {
            images: images.to_vec(),
            places: clamp(settings.places_per_runner),
            primed: clamp(settings.primed_per_runner),
        };
        match self.ask(&load, &[], PATIENCE).await? {
            FromRunner::Loaded(Ok(())) => Ok(()),
            FromRunner::Loaded(Err(problem)) => Err(SandboxError::Image(problem)),
            other => Err(unexpected(&other)),
        }
    }

    /// Confines it to these packs and its own scratch space, for good.
    pub(super) async fn bind(
        &mut self,
        settings: &Settings,
        packs: Vec<PathBuf>,
    ) -> Result<(), SandboxError> {
        let folders = Folders { packs, scratch: self.process.scratch.clone() };
        let bind = ToRunner::Bind { folders, confinement: settings.confinement };
        match self.ask(&bind, &[], PATIENCE).await? {
            FromRunner::Bound(Ok(())) => Ok(()),
            FromRunner::Bound(Err(problem)) => Err(SandboxError::Confinement(problem)),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(
        &mut self,
        question: &ToRunner,
        body: &[u8],
        patience: Duration,
    ) -> Result<FromRunner, SandboxError> {
        let exchange = async {
            self.socket.send(encode(question, body)).await?;
            let frame = self.socket.next().await.ok_or(io::ErrorKind::UnexpectedEof)??;
            let (answer, _body) = decode(frame).map_err(io::Error::other)?;
            Ok(answer)
        };
        let timeout = tokio::time::timeout(patience, exchange).await;
        timeout
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(SandboxError::Runner)
    }
}

/// The framing of what a bound, and therefore possibly hostile, runner sends.
pub(super) fn hostile_codec() -> LengthDelimitedCodec {
    codec(MAX_FRAME_TO_SERVER)
}

/// A component that has been compiled is not read again: tens of megabytes that need not
/// stay in memory.
#[expect(unsafe_code, reason = "the kernel's hints have no safe form")]
fn page_out(component: &[u8]) {
    let pages = component.as_ptr_range();
    let start = pages.start.map_addr(|address| address.next_multiple_of(PAGE));
    let length = (pages.end.addr() / PAGE * PAGE).saturating_sub(start.addr());
    // SAFETY: the range lies within `component`, and a page that is paged out keeps its content.
    let _hint = unsafe { madvise(start.cast_mut().cast(), length, Advice::LinuxPageOut) };
}

fn unexpected(answer: &FromRunner) -> SandboxError {
    let problem = format!("an answer to another question: {answer:?}");
    SandboxError::Runner(io::Error::other(problem))
}

fn new_scratch(parent: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = parent.join(format!("runner-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}
