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
    mut stop: &mut StopSignal,
) -> RunReport {
    let started_at = Instant::now();
    let Some((run, events)) = lease.runner.follow() else {
        return lost(Lost::BeforeStart, started_at);
    };
    let mut patience = Patience::new(started_at, job.limits.wall());
    let mut followed =
        Followed { runner: &lease.runner, run, events, unacknowledged: 0, ended: false };
    followed.begin(job);
    let (mut stopping, mut entered) = (false, Lost::BeforeStart);
    while !patience.is_over() {
        tokio::select! {
            // What was said in time counts, also when it is heard later.
            biased;
            () = &mut stop, if !stopping => {
                stopping = true;
                lease.runner.send(&ToRunner::Stop { run }, &[]);
            }
            event = followed.events.recv() => match event {
                None => return lost(entered, started_at),
                Some(Event::Started) => entered = Lost::MaybeStarted,
                Some(Event::Output(stream, bytes)) => {
                    let (length, heard_at) = (bytes.len(), Instant::now());
                    output.write(stream, bytes).await;
                    patience.excuse(heard_at.elapsed());
                    patience.hear(length, Instant::now());
                    followed.consumed(length);
                }
                Some(Event::Ended(report, response)) => {
                    followed.ended = true;
                    return ended(report, &response);
                }
            },
            () = tokio::time::sleep_until(patience.until) => break,
        }
    }
    tracing::error!(execution = %job.execution, "a runner did not end a run in time");
    lease.runner.kill();
    lost(entered, started_at)
}

/// How long a runner may take for a run, and how much of what it says is taken after that.
struct Patience {
    until: Instant,
    late: usize,
}

impl Patience {
    fn new(started_at: Instant, wall: Duration) -> Patience {
        Patience { until: started_at + wall + GRACE, late: 0 }
    }

    /// Time in which the server did not listen, such as one that waited for the disk.
    fn excuse(&mut self, deaf: Duration) {
        self.until += deaf;
    }

    /// Counts output that is heard only now.
    fn hear(&mut self, bytes: usize, now: Instant) {
        if now >= self.until {
            self.late += bytes;
        }
    }

    /// One window of output may have been waiting to be heard; a runner that writes more
    /// than that simply goes on.
    fn is_over(&self) -> bool {
        self.late > OUTPUT_WINDOW
    }
}

/// A run that a runner works on. If it is dropped before its end, the run is stopped.
struct Followed<'a> {
    runner: &'a Bound,
    run: RunId,
    events: mpsc::UnboundedReceiver<Event>,
    unacknowledged: usize,
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

    /// Lets the run write so many bytes more.
    fn consumed(&mut self, bytes: usize) {
        self.unacknowledged += bytes;
        if self.unacknowledged >= ACKNOWLEDGE {
            self.runner.consumed(self.run, std::mem::take(&mut self.unacknowledged));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Duration = Duration::from_secs(10);

    #[test]
    fn after_its_time_a_runner_is_heard_for_one_window() {
        let started_at = Instant::now();
        let mut patience = Patience::new(started_at, WALL);
        patience.hear(2 * OUTPUT_WINDOW, started_at + WALL);
        patience.hear(OUTPUT_WINDOW, started_at + WALL + GRACE);
        assert!(!patience.is_over());
        patience.hear(1, started_at + WALL + GRACE);
        assert!(patience.is_over());
    }

    #[test]
    fn time_in_which_the_server_did_not_listen_does_not_count() {
        let started_at = Instant::now();
        let mut patience = Patience::new(started_at, WALL);
        patience.excuse(2 * WALL);
        patience.hear(2 * OUTPUT_WINDOW, started_at + 3 * WALL);
        assert!(!patience.is_over());
    }
}
