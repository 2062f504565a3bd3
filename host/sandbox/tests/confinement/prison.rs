//! Starts prisoners, and what stands around them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::attempts::{ALLOWED, FORBIDDEN, LEFT_OPEN};

/// The argument that makes this binary a prisoner.
pub(crate) const PRISONER: &str = "attune-test-prisoner";

/// The exit codes of a prisoner.
const SUCCEEDED: u8 = 10;
const REFUSED: u8 = 11;

/// What a prisoner knows of the world.
pub(crate) struct World {
    pub(crate) pack: PathBuf,
    pub(crate) scratch: PathBuf,
    /// Not the prisoner's.
    pub(crate) outside: PathBuf,
    pub(crate) server: rustix::process::Pid,
    pub(crate) tcp_port: u16,
}

/// Whether an attempt succeeded.
pub(crate) type Attempt = fn(&World) -> bool;

pub(crate) fn trials() -> Vec<Trial> {
    let forbidden = FORBIDDEN.iter().map(|(name, _)| trial("forbidden", name, REFUSED));
    let allowed = ALLOWED.iter().map(|(name, _)| trial("allowed", name, SUCCEEDED));
    let free = FORBIDDEN
        .iter()
        .filter(|(name, _)| crate::attempts::WORKS_OUTSIDE.contains(name))
        .map(|(name, _)| trial("possible_without_the_wall", name, SUCCEEDED));
    forbidden.chain(allowed).chain(free).collect()
}

fn trial(kind: &'static str, name: &'static str, expected: u8) -> Trial {
    Trial::test(format!("{kind}::{name}"), move || check(kind, name, expected))
}

fn check(kind: &str, name: &str, expected: u8) -> Result<(), Failed> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    furnish(folder.path())?;
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let _unix = UnixListener::bind(folder.path().join("outside/socket"))?;
    let _left_open = leave_a_descriptor_open(folder.path())?;
    let status = Command::new(std::env::current_exe()?)
        .args([PRISONER, kind, name])
        .arg(folder.path())
        .arg(tcp.local_addr()?.port().to_string())
        .stdin(Stdio::null())
        .status()?;
    match status.code() {
        Some(code) if code == i32::from(expected) => Ok(()),
        _ => Err(format!("the prisoner ended with {status}").into()),
    }
}

fn furnish(folder: &Path) -> std::io::Result<()> {
    for name in ["pack", "scratch", "outside"] {
        fs::create_dir(folder.join(name))?;
        fs::write(folder.join(name).join("file"), "content")?;
    }
    symlink("/etc/passwd", folder.join("pack/link"))
}

/// A descriptor without close-on-exec, such as a careless library leaves.
#[expect(unsafe_code, reason = "dup2 to a certain number")]
fn leave_a_descriptor_open(folder: &Path) -> std::io::Result<fs::File> {
    use std::os::fd::{AsRawFd, FromRawFd};
    let file = fs::File::open(folder.join("outside/file"))?;
    // SAFETY: nobody else in this process uses the number.
    unsafe {
        assert_eq!(libc::dup2(file.as_raw_fd(), LEFT_OPEN), LEFT_OPEN);
        Ok(fs::File::from_raw_fd(LEFT_OPEN))
    }
}

/// The life of a prisoner: confined, one attempt, the end.
pub(crate) fn attempt(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let mut next = || arguments.next().unwrap();
    let (kind, name, folder, port) = (next(), next(), PathBuf::from(next()), next());
    let world = World {
        pack: folder.join("pack"),
        scratch: folder.join("scratch"),
        outside: folder.join("outside"),
        server: rustix::process::getppid().unwrap(),
        tcp_port: port.parse().unwrap(),
    };
    if kind != "possible_without_the_wall" {
        let packs = [world.pack.clone()];
        attune_sandbox::confine_like_a_runner(&packs, &world.scratch).unwrap();
    }
    let all = FORBIDDEN.iter().chain(ALLOWED);
    let (_, attempt) = all.into_iter().find(|(known, _)| *known == name).unwrap();
    ExitCode::from(if attempt(&world) { SUCCEEDED } else { REFUSED })
}
