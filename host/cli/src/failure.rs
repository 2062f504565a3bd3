//! How a command fails: one line that says what happened and what to do, and an
//! exit code that a program can act on.

use std::fmt;
use std::process::ExitCode;

/// What the exit codes mean; `attune --help` prints the same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The execution did not succeed, or the server refused the request.
    Failed = 1,
    /// Wrong arguments or settings.
    Usage = 2,
    /// Not signed in, or not allowed.
    NotAllowed = 3,
    /// The thing that was named does not exist.
    NotFound = 4,
    /// No server answers.
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// A command that did not work out.
#[derive(Debug)]
pub(crate) struct Failure {
    pub exit: Exit,
    problem: String,
    remedy: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, problem: impl fmt::Display) -> Failure {
        Failure { exit, problem: problem.to_string(), remedy: None }
    }

    /// Wrong arguments or settings.
    pub(crate) fn usage(problem: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, problem)
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl fmt::Display) -> Failure {
        self.remedy = Some(remedy.to_string());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match &self.remedy {
            Some(remedy) => write!(f, " ({remedy})"),
            None => Ok(()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::new(Exit::Failed, format_args!("{error:#}"))
    }
}
