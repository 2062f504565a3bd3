//! What a process did before it was killed, and what it had promised by then.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use attune_domain::id::ExecutionId;

/// A fact about an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The request was answered.
    Accepted,
    /// The guest was entered.
    Entered,
    /// The request to cancel was answered.
    CancelAccepted,
}

/// A file of lines. What is written has reached the kernel, and outlives the process.
pub(crate) struct Diary(File);

impl Diary {
    pub(crate) fn open(path: &Path) -> Diary {
        Diary(OpenOptions::new().create(true).append(true).open(path).unwrap())
    }

    pub(crate) fn note(&self, fact: Fact, execution: ExecutionId) {
        (&self.0).write_all(format!("{execution} {fact:?}\n").as_bytes()).unwrap();
    }
}

/// Everything that was noted.
pub(crate) struct Notes(String);

impl Notes {
    pub(crate) fn read(path: &Path) -> Notes {
        Notes(std::fs::read_to_string(path).unwrap_or_default())
    }

    pub(crate) fn count(&self, fact: Fact, execution: ExecutionId) -> usize {
        let line = format!("{execution} {fact:?}");
        self.0.lines().filter(|noted| **noted == line).count()
    }

    /// Executions that were promised to somebody.
    pub(crate) fn accepted(&self) -> Vec<ExecutionId> {
        let noted = self.0.lines().filter_map(|line| line.split_once(' '));
        let accepted = noted.filter(|(_, fact)| *fact == format!("{:?}", Fact::Accepted));
        accepted.map(|(id, _)| ExecutionId(id.parse().unwrap())).collect()
    }
}
