//! From init to program: the last process of ours, and what it does to itself.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use attune_domain::native::PACK_FOLDER;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, chdir, setsid};

use super::Failed;
use crate::confine::{self, Filters};
use crate::launcher::trying;
use crate::protocol::{Command, Task};

/// Starts the program, and waits until it has begun, or could not.
pub(super) fn start(task: &Task, stdio: Vec<OwnedFd>, filters: &Filters) -> Result<Pid, Failed> {
    // The end that the child has closes as it becomes the program.
    let (failure, mut fail) = {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(trying("make a pipe"))?;
        (File::from(read), File::from(write))
    };
    let Some(child) = fork().map_err(trying("make a process"))? else {
        let problem = become_program(task, &stdio, filters);
        let _init_gone = fail.write_all(problem.as_bytes());
        std::process::exit(1);
    };
    drop((fail, stdio));
    match read_all(failure) {
        problem if problem.is_empty() => Ok(child),
        problem => Err(Failed::ToSetUp(problem)),
    }
}

fn read_all(mut file: File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => text,
        Err(error) => error.to_string(),
    }
}

#[expect(unsafe_code, reason = "neither std nor rustix forks")]
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has one thread, so the child may do what it could.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        child => Ok(Pid::from_raw(child)),
    }
}

/// Returns only if it fails, with what is to be told.
fn become_program(task: &Task, stdio: &[OwnedFd], filters: &Filters) -> String {
    let Err(problem) = confined(task, stdio, filters);
    problem
}

fn confined(
    task: &Task,
    stdio: &[OwnedFd],
    filters: &Filters,
) -> Result<std::convert::Infallible, String> {
    let told = |action: &'static str| move |error: io::Error| format!("cannot {action}: {error}");
    let image = task.command.as_ref().map(|command| Image::new(command, &task.env)).transpose()?;
    setsid().map_err(|error| told("make a session")(error.into()))?;
    take_stdio(stdio).map_err(told("take standard input and output"))?;
    chdir(PACK_FOLDER).map_err(|error| {
        format!(
            "the run's user cannot enter the pack's folder ({error}): its file system has no \
             id-mapped mounts, so the folder must be readable by everybody"
        )
    })?;
    reset_signals().map_err(told("reset signals"))?;
    confine::enter(&task.limits, task.max_processes, filters)
        .map_err(|error| format!("the program cannot be confined: {error}"))?;
    let Some(image) = image else { std::process::exit(0) };
    Err(image.execute())
}

fn take_stdio(stdio: &[OwnedFd]) -> io::Result<()> {
    let [input, output, errors] = stdio else { return Err(io::ErrorKind::InvalidInput.into()) };
    rustix::stdio::dup2_stdin(input)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(errors)?;
    close_on_exec()
}

/// All but the standard three. Ours are already; this is for what a library forgot.
#[expect(unsafe_code, reason = "neither std nor rustix has close_range")]
fn close_on_exec() -> io::Result<()> {
    const FIRST: u32 = 3;
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: nothing is closed in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What Rust's runtime and the init have changed, and programs do not expect.
#[expect(unsafe_code, reason = "rustix has neither signal masks nor dispositions")]
fn reset_signals() -> io::Result<()> {
    // SAFETY: the default disposition runs no code, and the set is made before it is used.
    let result = unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A program to execute, in the form that the kernel takes.
struct Image {
    program: CString,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Image {
    fn new(command: &Command, env: &[(String, String)]) -> Result<Image, String> {
        let text = |text: &OsStr| {
            CString::new(text.as_bytes()).map_err(|_| {
                "a NUL byte cannot be in an argument, nor in the environment".to_owned()
            })
        };
        let env = env.iter().map(|(name, value)| text(format!("{name}={value}").as_ref()));
        Ok(Image {
            program: text(command.program.as_os_str())?,
            args: command.args.iter().map(|arg| text(arg.as_ref())).collect::<Result<_, _>>()?,
            env: env.collect::<Result<_, _>>()?,
        })
    }

    /// Returns only if it fails.
    #[expect(unsafe_code, reason = "std's own exec comes with std's own fork")]
    fn execute(&self) -> String {
        let args = pointers(&self.args);
        let env = pointers(&self.env);
        // SAFETY: both lists are of C strings that live here, and end with a null pointer.
        unsafe { libc::execve(self.program.as_ptr(), args.as_ptr(), env.as_ptr()) };
        let error = io::Error::last_os_error();
        let program = self.program.to_string_lossy();
        match error.raw_os_error() {
            Some(libc::ENOENT) => format!(
                "{program} cannot be started: it, or the interpreter that its first line names, \
                 is not among the files that a run sees"
            ),
            Some(libc::EACCES) => format!("{program} cannot be started: it is not executable"),
            Some(libc::ENOEXEC) => format!(
                "{program} cannot be started: it is neither a program for this machine nor a \
                 script whose first line names an interpreter"
            ),
            _ => format!("{program} cannot be started: {error}"),
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}
