//! One run, as the server sees it.

use std::time::Duration;

use attune_domain::runner::{Job, Lost, OutputSink, RunEnd, RunReport, StopSignal, Usage};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::bound::Bound;
use super::followers::Event;
use super::pool::Lease;
use crate::envelope;
use crate::protocol::{End, OUTPUT_WINDOW, Report, Run, RunId, ToRunner};

/// A runner enforces the wall clock itself; one that has not by then is broken.
const GRACE: Duration = Duration::from_secs(5);
/// Output is acknowledged in portions, so that a short run needs no acknowledgement.
const ACKNOWLEDGE: usize = OUTPUT_WINDOW / 2;

/// Gives the job to the runner and follows it to its end.
pub(crate) async fn follow(
    lease: &Lease,
    job: &Job,
    output: &mut dyn OutputSink,
    mut stop: StopSignal,
) -> RunReport {
    let started_at = Instant::now();
    let Some((run, events)) = lease.runner.follow() else {
        return lost(Lost::BeforeStart, started_at);
    };
    let mut followed = Followed { runner: &lease.runner, run, events, ended: false };
    followed.begin(job);
    let broken = tokio::time::sleep_until(started_at + job.limits.wall() + GRACE);
    let mut broken = std::pin::pin!(broken);
    let (mut stopping, mut entered, mut unacknowledged) = (false, Lost::BeforeStart, 0);
    loop {
        tokio::select! {
            event = followed.events.recv() => match event {
                None => return lost(entered, started_at),
                Some(Event::Started) => entered = Lost::MaybeStarted,
                Some(Event::Output(stream, bytes)) => {
                    unacknowledged += bytes.len();
                    output.write(stream, bytes).await;
                    if unacknowledged >= ACKNOWLEDGE {
                        lease.runner.consumed(run, std::mem::take(&mut unacknowledged));
                    }
                }
                Some(Event::Ended(report, response)) => {
                    followed.ended = true;
                    return ended(report, &response);
                }
            },
            () = &mut stop, if !stopping => {
                stopping = true;
                lease.runner.send(&ToRunner::Stop { run }, &[]);
            }
            () = &mut broken => {
                tracing::error!(execution = %job.execution, "a runner did not end a run in time");
                lease.runner.kill();
                return lost(entered, started_at);
            }
        }
    }
}

/// A run that a runner works on. If it is dropped before its end, the run is stopped.
struct Followed<'a> {
    runner: &'a Bound,
    run: RunId,
    events: mpsc::UnboundedReceiver<Event>,
    ended: bool,
}

impl Followed<'_> {
    fn begin(&self, job: &Job) {
        let run = Run {
            id: self.run,
            runtime: job.runtime,
            pack_folder: job.pack_folder.clone(),
            entry: job.entry.file.clone(),
            request: envelope::request(job),
            parameter_file_at: job.parameter_file.as_ref().map(|_| job.stdin.len()),
            limits: job.limits,
        };
        let file = job.parameter_file.as_deref().unwrap_or_default();
        self.runner.send(&ToRunner::Run(run), &[&job.stdin, file].concat());
    }
}

impl Drop for Followed<'_> {
    fn drop(&mut self) {
        self.runner.forget(self.run);
        if !self.ended {
            self.runner.send(&ToRunner::Stop { run: self.run }, &[]);
        }
    }
}

fn ended(report: Report, response: &Bytes) -> RunReport {
    let Report { end, usage, stdout_dropped, stderr_dropped } = report;
    let end = match end {
        End::Answered => envelope::end(response),
        End::Exited(code) => RunEnd::Exited(code),
        End::Limit(hit) => RunEnd::Limit(hit),
        End::Trapped(message) => RunEnd::Trapped(message),
        End::Stopped => RunEnd::Stopped,
        End::NotSetUp(problem) => RunEnd::NotSetUp(problem),
    };
    RunReport { end, usage, stdout_dropped, stderr_dropped }
}

fn lost(entered: Lost, started_at: Instant) -> RunReport {
    let wall_ms = u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    let usage = Usage { wall_ms, ..Usage::default() };
    report(RunEnd::Lost(entered), usage)
}

/// The report of a run that no runner has seen.
pub(crate) fn unseen(end: RunEnd) -> RunReport {
    report(end, Usage::default())
}

fn report(end: RunEnd, usage: Usage) -> RunReport {
    RunReport { end, usage, stdout_dropped: 0, stderr_dropped: 0 }
}
