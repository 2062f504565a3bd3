//! The launcher: clones an init for each run that the server asks for.
//!
//! It is a process of its own so that a run costs a clone of something small, and has one thread
//! so that it may be cloned. It lives in a copy of the host's mount namespace, where it finds the
//! folders of packs, and keeps a second one with the [`template`] that all runs' files are made of.

mod birth;
mod mounts;
mod pack;
mod probe;
mod process;
mod template;
mod user;

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use crate::confine::{Filters, WallError};
use crate::packets;
use crate::protocol::{FromRun, Hello, Meet, Start};

pub(crate) use mounts::attach;
pub(crate) use user::INNER_ID;

/// Why the launcher cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LauncherError {
    /// What was tried, and what the kernel said.
    #[error("cannot {0}: {1}")]
    System(&'static str, #[source] io::Error),
    #[error("{0}")]
    Wall(#[from] WallError),
    #[error("{0}")]
    Unconfined(String),
}

/// Names what was tried.
pub(crate) fn trying<E: Into<io::Error>>(action: &'static str) -> impl Fn(E) -> LauncherError {
    move |error| LauncherError::System(action, error.into())
}

struct Launcher {
    namespaces: template::Namespaces,
    pack_users: pack::Users,
    filters: Filters,
}

/// The life of a launcher. The server is at the other end of standard input.
pub fn launcher_main() -> ExitCode {
    let Ok(server) = process::prepare() else { return ExitCode::FAILURE };
    match meet(&server).and_then(|launcher| launcher.map_or(Ok(()), |it| it.serve(&server))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_server_gone) => ExitCode::FAILURE,
    }
}

/// Gives no launcher where runs cannot be confined.
fn meet(server: &OwnedFd) -> io::Result<Option<Launcher>> {
    let Some((who, _)) = packets::receive::<Meet>(server)? else { return Ok(None) };
    let probed = Launcher::new().and_then(|mut launcher| {
        let confinement = probe::everything(&mut launcher, &who)?;
        Ok((launcher, confinement))
    });
    let (launcher, hello): (_, Hello) = match probed {
        Ok((launcher, confinement)) => (Some(launcher), Ok(confinement)),
        Err(error) => (None, Err(error.to_string())),
    };
    packets::send(server, &hello, &[])?;
    Ok(launcher)
}

impl Launcher {
    fn new() -> Result<Launcher, LauncherError> {
        probe::namespaces()?;
        user::become_owner()?;
        Ok(Launcher {
            namespaces: template::Namespaces::furnish()?,
            pack_users: pack::Users::default(),
            filters: Filters::compile()?,
        })
    }

    fn serve(mut self, server: &OwnedFd) -> io::Result<()> {
        while let Some((start, mut descriptors)) = packets::receive::<Start>(server)? {
            if let Some(run) = descriptors.pop() {
                self.start(&start, &run);
            }
        }
        Ok(())
    }

    /// Whatever becomes of it is told on the run's own socket; its end is the end of the run.
    fn start(&mut self, start: &Start, run: &OwnedFd) {
        if let Err(error) = self.give_birth(start, run) {
            let refused = FromRun::Refused(format!("the run cannot be set up: {error}"));
            let _server_gone = packets::send(run, &refused, &[]);
        }
    }
}
