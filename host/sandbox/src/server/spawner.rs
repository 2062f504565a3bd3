//! Starts processes from a thread that lives as long as the sandbox.
//!
//! A runner asks the kernel to be killed when its parent dies, and the kernel
//! means the parent *thread*. Threads of a tokio runtime come and go.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

/// A handle to the thread; it ends with the last one.
#[derive(Clone)]
pub(super) struct Spawner(mpsc::Sender<Request>);

struct Request {
    command: Command,
    answer: oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    pub(super) fn start() -> io::Result<Spawner> {
        let (sender, requests) = mpsc::channel::<Request>();
        thread::Builder::new().name("spawn-runners".into()).spawn(move || {
            for Request { mut command, answer } in requests {
                // A child that nobody waits for any more must not be left behind.
                if let Err(Ok(mut child)) = answer.send(command.spawn()) {
                    let _ended_already = child.kill();
                    let _reaped = child.wait();
                }
            }
        })?;
        Ok(Spawner(sender))
    }

    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, spawned) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts runners has ended");
        self.0.send(Request { command, answer }).map_err(|_| gone())?;
        spawned.await.map_err(|_| gone())?
    }
}
