//! A runner whose runs do what the test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use attune_domain::id::ExecutionId;
use attune_domain::runner::{
    Job, LimitHit, Lost, OutputSink, Place, RunEnd, RunReport, Runner, StopSignal, Stream, Usage,
};
use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::sim_clock::SimClock;

/// What one run does.
pub(crate) enum Script {
    /// Writes to stdout and exits.
    Exit {
        stdout: &'static str,
        code: i32,
    },
    /// Writes this many bytes in pieces of 64 KiB and exits with 0.
    Write {
        bytes: usize,
    },
    /// Writes to stdout, has it flushed, and exits while the flush is on its way.
    Flushing {
        clock: Arc<SimClock>,
        stdout: &'static str,
    },
    /// Writes to stdout and runs until it is told to stop.
    UntilStopped {
        stdout: &'static str,
    },
    /// Runs until the test lets it go.
    UntilReleased(oneshot::Receiver<()>),
    /// Runs into its deadline.
    TimesOut,
    Lost(Lost),
}

/// Told of each guest that is entered, before it is.
pub(crate) type Witness = Box<dyn Fn(ExecutionId) + Send + Sync>;

pub(crate) struct ScriptedRunner {
    capacity: usize,
    places: Arc<Semaphore>,
    witness: Witness,
    scripts: Mutex<VecDeque<Script>>,
    started: mpsc::UnboundedSender<Job>,
}

impl ScriptedRunner {
    /// A runner with so many places; the receiver gets each job as it starts.
    pub(crate) fn new(places: usize) -> (Arc<ScriptedRunner>, mpsc::UnboundedReceiver<Job>) {
        ScriptedRunner::witnessed(places, Box::new(|_| {}))
    }

    pub(crate) fn witnessed(
        capacity: usize,
        witness: Witness,
    ) -> (Arc<ScriptedRunner>, mpsc::UnboundedReceiver<Job>) {
        let (started, jobs) = mpsc::unbounded_channel();
        let (places, scripts) = (Arc::new(Semaphore::new(capacity)), Mutex::default());
        (Arc::new(ScriptedRunner { capacity, places, witness, scripts, started }), jobs)
    }

    pub(crate) fn places(&self) -> usize {
        self.capacity
    }

    /// Returns when a place is free: the dispatcher holds one while it looks for work.
    pub(crate) async fn idle(&self) {
        while self.places.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Says what the next run does; runs without a script exit with 0.
    pub(crate) fn next(&self, script: Script) {
        self.scripts.lock().unwrap().push_back(script);
    }
}

fn report(end: RunEnd) -> RunReport {
    RunReport { end, usage: Usage::default(), stdout_dropped: 0, stderr_dropped: 0 }
}

#[async_trait]
impl Runner for ScriptedRunner {
    fn try_reserve(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok().map(Place::new)
    }

    async fn reserve(&self) -> Place {
        Place::new(self.places.clone().acquire_owned().await.unwrap())
    }

    async fn run(
        &self,
        _place: Place,
        job: Job,
        output: &mut dyn OutputSink,
        stop: StopSignal,
    ) -> RunReport {
        let script = self.scripts.lock().unwrap().pop_front();
        if !matches!(script, Some(Script::Lost(Lost::BeforeStart))) {
            (self.witness)(job.caller.execution);
        }
        let _ = self.started.send(job);
        let write = Bytes::from_static;
        match script.unwrap_or(Script::Exit { stdout: "", code: 0 }) {
            Script::Exit { stdout, code } => {
                output.write(Stream::Stdout, write(stdout.as_bytes())).await;
                report(RunEnd::Exited(code))
            }
            Script::Write { bytes } => {
                let piece = Bytes::from(vec![b'x'; 64 << 10]);
                for _ in 0..bytes / piece.len() {
                    output.write(Stream::Stdout, piece.clone()).await;
                }
                report(RunEnd::Exited(0))
            }
            Script::Flushing { clock, stdout } => {
                output.write(Stream::Stdout, write(stdout.as_bytes())).await;
                tokio::task::yield_now().await;
                clock.advance(Duration::from_secs(1));
                tokio::task::yield_now().await;
                report(RunEnd::Exited(0))
            }
            Script::UntilStopped { stdout } => {
                output.write(Stream::Stdout, write(stdout.as_bytes())).await;
                stop.await;
                report(RunEnd::Stopped)
            }
            Script::UntilReleased(released) => {
                let _ = released.await;
                report(RunEnd::Exited(0))
            }
            Script::TimesOut => report(RunEnd::Limit(LimitHit::Deadline)),
            Script::Lost(lost) => report(RunEnd::Lost(lost)),
        }
    }
}
