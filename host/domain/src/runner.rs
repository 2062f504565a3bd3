//! The seam between the loops that decide what runs and the rooms that run it.
//!
//! Two real implementations: the sandbox, and a scripted one for tests.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::egress::Caller;
use crate::limits::Limits;
use crate::redaction::Redaction;
use crate::{Json, JsonObject};

/// Where a guest finds parameters that are delivered as a file.
pub const PARAMETER_FILE: &str = "/tmp/attune-parameters";

/// Everything a runner needs to know about one run. It holds no credential of the server.
#[derive(Clone, Debug)]
pub struct Job {
    /// Whose run it is, and what it may do in the network.
    pub caller: Caller,
    pub runtime: Runtime,
    /// The pack version's folder on this machine; the guest sees it read-only.
    pub pack_folder: PathBuf,
    pub entry: Entry,
    /// The guest's whole environment.
    pub env: BTreeMap<String, String>,
    /// What the guest reads from stdin before it sees the end.
    pub stdin: Bytes,
    /// Put into the guest's scratch directory as [`PARAMETER_FILE`] before the run.
    pub parameter_file: Option<Bytes>,
    /// For the function contract.
    pub params: JsonObject,
    /// For the function contract.
    pub context: JsonObject,
    pub limits: Limits,
}

/// Interpreters that live in the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    Python,
}

/// Where a run enters the pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path below the pack's folder, `/`-separated.
    pub file: String,
    /// The function contract, when the entry point names a function.
    pub function: Option<String>,
}

/// stdout or stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// Takes what a guest writes, as it writes it. A slow sink slows the guest.
#[async_trait]
pub trait OutputSink: Send {
    async fn write(&mut self, stream: Stream, bytes: Bytes);
}

/// Resolves when the run is to be stopped.
pub type StopSignal = BoxFuture<'static, ()>;

/// A free place for one run; dropping it gives it back.
pub struct Place(#[expect(dead_code, reason = "held for its Drop")] Box<dyn Any + Send + Sync>);

impl Place {
    /// Wraps whatever the runner wants back when the place is free again.
    pub fn new(held: impl Any + Send + Sync) -> Place {
        Place(Box::new(held))
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEnd {
    /// The script contract: the exit code.
    Exited(i32),
    /// The function contract: the returned value.
    Returned(Json),
    /// A wall was hit.
    Limit(LimitHit),
    /// The guest trapped; the text is for its author.
    Trapped(String),
    /// The stop signal came first.
    Stopped,
    /// The run could not be set up; nothing of the guest ran.
    NotSetUp(String),
    /// The runner died.
    Lost(Lost),
}

impl RunEnd {
    /// Takes secrets out of what the guest has said.
    pub fn redact(&mut self, redaction: &Redaction) {
        match self {
            RunEnd::Returned(value) => redaction.json(value),
            RunEnd::Trapped(text) | RunEnd::NotSetUp(text) => *text = redaction.text(text),
            RunEnd::Exited(_) | RunEnd::Limit(_) | RunEnd::Stopped | RunEnd::Lost(_) => {}
        }
    }
}

/// Walls that end a run (the scratch and open-file limits are errors inside the guest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitHit {
    Deadline,
    Fuel,
    Memory,
    Output,
}

impl LimitHit {
    pub fn as_str(self) -> &'static str {
        match self {
            LimitHit::Deadline => "deadline",
            LimitHit::Fuel => "fuel",
            LimitHit::Memory => "memory",
            LimitHit::Output => "output",
        }
    }
}

/// Whether a lost run may have begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    BeforeStart,
    MaybeStarted,
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub fuel: u64,
    pub peak_memory_bytes: u64,
    pub wall_ms: u64,
    /// Bytes written to stdout and stderr, kept or not.
    pub output_bytes: u64,
}

/// What the runner says when a run is over.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    pub end: RunEnd,
    pub usage: Usage,
    /// Bytes of stdout dropped beyond `Limits::stream_bytes`.
    pub stdout_dropped: u64,
    /// Bytes of stderr dropped beyond `Limits::stream_bytes`.
    pub stderr_dropped: u64,
}

impl RunReport {
    /// Nothing of the guest ran.
    pub fn not_set_up(problem: String) -> RunReport {
        RunReport {
            end: RunEnd::NotSetUp(problem),
            usage: Usage::default(),
            stdout_dropped: 0,
            stderr_dropped: 0,
        }
    }
}

/// Runs jobs behind walls.
#[async_trait]
pub trait Runner: Send + Sync {
    /// A place, if one is free now.
    fn try_reserve(&self) -> Option<Place>;

    /// Waits for a place.
    async fn reserve(&self) -> Place;

    /// Whether it lacks what runs need and cannot get it at present.
    fn is_failing(&self) -> bool {
        false
    }

    /// Runs one job to its end. Always answers: a runner that dies is an end too.
    async fn run(
        &self,
        place: Place,
        job: Job,
        output: &mut dyn OutputSink,
        stop: StopSignal,
    ) -> RunReport;
}
