//! Keeps a launcher alive, and gives it runs to start.
//!
//! The launcher asks the kernel to be killed when its parent dies, and the kernel means the
//! parent *thread*. Threads of a tokio runtime come and go, so one of ours starts it, waits for
//! its end, and starts the next.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use attune_domain::native::Confinement;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::Shutdown;
use rustix::process::{getegid, geteuid};
use tokio::sync::watch;

use super::channel::Channel;
use crate::NativeError;
use crate::packets;
use crate::protocol::{Hello, Ids, Meet, Start};

/// How long a launcher may take to try the walls.
const HELLO_PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };
/// After a launcher could not be started again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a run waits for a launcher while there is none.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Who runs are outside of their user namespaces.
#[derive(Clone, Copy)]
pub(super) enum Identity {
    /// Users from here on, one for each run: never root, whose files they would own.
    Root { first: u32 },
    /// The server's own user; others cannot be had.
    Own(Ids),
}

impl Identity {
    pub(super) fn of_server(first: u32) -> Identity {
        if geteuid().is_root() {
            Identity::Root { first }
        } else {
            Identity::Own(Ids { uid: geteuid().as_raw(), gid: getegid().as_raw() })
        }
    }

    pub(super) fn of_run(&self, slot: u32) -> Ids {
        match *self {
            Identity::Root { first } => Ids { uid: first + slot, gid: first + slot },
            Identity::Own(ids) => ids,
        }
    }
}

/// The launcher of the moment. Dropping this ends it, and all runs with it.
pub(super) struct Launchers {
    current: watch::Receiver<Option<Arc<OwnedFd>>>,
    closed: Arc<AtomicBool>,
}

/// What the thread needs to start one.
struct Starter {
    args: Vec<OsString>,
    identity: Identity,
    closed: Arc<AtomicBool>,
}

impl Launchers {
    pub(super) fn start(
        args: &[OsString],
        identity: &Identity,
    ) -> Result<(Launchers, Confinement), NativeError> {
        let closed = Arc::new(AtomicBool::new(false));
        let starter = Starter { args: args.to_vec(), identity: *identity, closed: closed.clone() };
        let (publish, current) = watch::channel(None);
        let (first, first_word) = mpsc::channel();
        thread::Builder::new()
            .name("native-launcher".into())
            .spawn(move || starter.keep_one(&publish, &first))
            .map_err(NativeError::Start)?;
        let gone = |_| NativeError::Start(io::Error::other("its thread has ended"));
        let confinement = first_word.recv().map_err(gone)??;
        Ok((Launchers { current, closed }, confinement))
    }

    /// Hands a run over. Whether it starts is heard on the other end of its socket.
    pub(super) async fn send(&self, start: &Start, run: OwnedFd) -> io::Result<()> {
        let mut current = self.current.clone();
        let launcher = tokio::time::timeout(START_PATIENCE, current.wait_for(Option::is_some));
        let launcher = match launcher.await {
            Ok(Ok(launcher)) => launcher.clone(),
            _ => None,
        };
        let launcher = launcher.ok_or(io::ErrorKind::NotConnected)?;
        // A descriptor of our own, since a socket can be waited for once only.
        Channel::new(launcher.try_clone()?)?.send(start, &[run.as_fd()]).await
    }
}

impl Drop for Launchers {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(launcher) = &*self.current.borrow() {
            let _ended_already = rustix::net::shutdown(launcher, Shutdown::Both);
        }
    }
}

impl Starter {
    fn keep_one(
        &self,
        publish: &watch::Sender<Option<Arc<OwnedFd>>>,
        first: &mpsc::Sender<Result<Confinement, NativeError>>,
    ) {
        let mut starts = 0_u64;
        while !self.closed.load(Ordering::SeqCst) {
            match launch(&self.args, &self.identity) {
                Ok((child, socket, confinement)) => {
                    publish.send_replace(Some(Arc::new(socket)));
                    let _nobody_asked = first.send(Ok(confinement));
                    wait(child, starts, &self.closed);
                    publish.send_replace(None);
                }
                Err(error) if starts == 0 => {
                    let _nobody_asked = first.send(Err(error));
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "native runs have to wait");
                    thread::sleep(PAUSE);
                }
            }
            starts += 1;
        }
    }
}

fn wait(mut launcher: Child, starts: u64, closed: &AtomicBool) {
    let ended = launcher.wait();
    if !closed.load(Ordering::SeqCst) {
        tracing::error!(?ended, starts, "the launcher of native runs has died; starting another");
    }
}

/// Starts this same program as a launcher, and waits for its first word.
fn launch(
    args: &[OsString],
    identity: &Identity,
) -> Result<(Child, OwnedFd, Confinement), NativeError> {
    let (here, there) = packets::pair().map_err(NativeError::Start)?;
    let program = std::env::current_exe().map_err(NativeError::Start)?;
    let mut command = Command::new(program);
    command.args(args).env_clear().stdin(there);
    let mut child = command.spawn().map_err(NativeError::Start)?;
    // The command has our copy of the launcher's end.
    drop(command);
    match meet(&here, identity) {
        Ok(confinement) => Ok((child, here, confinement)),
        Err(error) => {
            let _ended_already = child.kill();
            let _reaped = child.wait();
            Err(error)
        }
    }
}

fn meet(launcher: &OwnedFd, identity: &Identity) -> Result<Confinement, NativeError> {
    let meet = Meet { outer: identity.of_run(0) };
    packets::send(launcher, &meet, &[]).map_err(NativeError::Start)?;
    let mut waiting = [PollFd::new(launcher, PollFlags::IN)];
    if poll(&mut waiting, Some(&HELLO_PATIENCE))
        .map_err(|error| NativeError::Start(error.into()))?
        == 0
    {
        return Err(NativeError::Start(io::ErrorKind::TimedOut.into()));
    }
    let hello = packets::receive::<Hello>(launcher).map_err(NativeError::Start)?;
    let (hello, _) = hello.ok_or(NativeError::Start(io::ErrorKind::UnexpectedEof.into()))?;
    hello.map_err(NativeError::Unconfined)
}

/// Starts a launcher for its first word only.
pub(super) fn probe(args: &[OsString], identity: &Identity) -> Result<Confinement, NativeError> {
    let (mut child, socket, confinement) = launch(args, identity)?;
    drop(socket);
    let _reaped = child.wait();
    Ok(confinement)
}
