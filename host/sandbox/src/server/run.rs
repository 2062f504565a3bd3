//! One run, as the server sees it.

use std::sync::Arc;
use std::time::Duration;

use attune_domain::egress::Egress;
use attune_domain::runner::{Job, Lost, OutputSink, RunEnd, RunReport, StopSignal, Usage};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::bound::Bound;
use super::exchanges::Exchanges;
use super::followers::Event;
use super::patience::Patience;
use super::pool::Lease;
use crate::envelope;
use crate::protocol::{End, OUTPUT_WINDOW, Report, Run, RunId, ToRunner};

/// Output is acknowledged in portions, so that a short run needs no acknowledgement.
const ACKNOWLEDGE: usize = OUTPUT_WINDOW / 2;

/// Gives the job to the runner and follows it to its end.
pub(crate) async fn follow(
    lease: &Lease,
    job: &Job,
    egress: &Arc<dyn Egress>,
    output: &mut dyn OutputSink,
    mut stop: &mut StopSignal,
) -> RunReport {
    let limit = job.caller.network.limits.exchanges;
    let Some((run, events)) = lease.runner.follow(limit) else {
        return unseen(RunEnd::Lost(Lost::BeforeStart));
    };
    let mut followed = Followed::new(&lease.runner, run, events, job.limits.wall());
    followed.begin(job);
    let (caller, egress) = (job.caller.clone(), egress.clone());
    let mut exchanges = Exchanges::new(lease.runner.clone(), run, caller, egress);
    while !followed.patience.is_over() {
        tokio::select! {
            // What was said in time counts, also when it is heard later.
            biased;
            () = &mut stop, if !followed.stopping => followed.ask_to_stop(),
            event = followed.events.recv() => match event {
                Some(Event::Http(exchange, said, bytes)) => exchanges.hear(exchange, said, bytes),
                event => if let Some(report) = followed.hear(event, output).await {
                    return report;
                },
            },
            () = exchanges.clear() => {}
            () = tokio::time::sleep_until(followed.patience.until) => {
                if !followed.patience.excuse_stall(Instant::now()) {
                    break;
                }
            }
        }
    }
    tracing::error!(execution = %job.caller.execution, "a runner did not end a run in time");
    lease.runner.kill();
    loop {
        // It is certain to hang up, and may have said more before.
        let event = followed.events.recv().await;
        if let Some(report) = followed.hear(event, output).await {
            return report;
        }
    }
}

/// A run that a runner works on. If it is dropped before its end, the run is stopped.
struct Followed<'a> {
    runner: &'a Bound,
    run: RunId,
    events: mpsc::UnboundedReceiver<Event>,
    started_at: Instant,
    patience: Patience,
    unacknowledged: usize,
    stopping: bool,
    entered: Lost,
    ended: bool,
}

impl<'a> Followed<'a> {
    fn new(
        runner: &'a Bound,
        run: RunId,
        events: mpsc::UnboundedReceiver<Event>,
        wall: Duration,
    ) -> Followed<'a> {
        let started_at = Instant::now();
        Followed {
            runner,
            run,
            events,
            started_at,
            patience: Patience::new(started_at, wall),
            unacknowledged: 0,
            stopping: false,
            entered: Lost::BeforeStart,
            ended: false,
        }
    }

    fn begin(&self, job: &Job) {
        let run = Run {
            id: self.run,
            runtime: job.runtime,
            pack_folder: job.pack_folder.clone(),
            entry: job.entry.file.clone(),
            request: envelope::request(job),
            parameter_file_at: job.parameter_file.as_ref().map(|_| job.stdin.len()),
            limits: job.limits,
            exchanges: job.caller.network.limits.exchanges,
        };
        let file = job.parameter_file.as_deref().unwrap_or_default();
        self.runner.send(&ToRunner::Run(run), &[&job.stdin, file].concat());
    }

    fn ask_to_stop(&mut self) {
        self.stopping = true;
        self.runner.send(&ToRunner::Stop { run: self.run }, &[]);
    }

    /// Takes what the runner says, or that it hung up; a report when that is the end.
    async fn hear(
        &mut self,
        event: Option<Event>,
        output: &mut dyn OutputSink,
    ) -> Option<RunReport> {
        match event {
            None => return Some(self.lost()),
            // Whoever has been killed gets no answer.
            Some(Event::Http(..)) => {}
            Some(Event::Started { .. }) => self.entered = Lost::MaybeStarted,
            Some(Event::Output(stream, bytes)) => {
                let (length, heard_at) = (bytes.len(), Instant::now());
                output.write(stream, bytes).await;
                self.patience.excuse(heard_at.elapsed());
                self.patience.hear(length, Instant::now());
                self.consumed(length);
            }
            Some(Event::Ended(report, response)) => {
                self.ended = true;
                return Some(ended(report, &response));
            }
        }
        None
    }

    /// Lets the run write so many bytes more.
    fn consumed(&mut self, bytes: usize) {
        self.unacknowledged += bytes;
        if self.unacknowledged >= ACKNOWLEDGE {
            self.runner.consumed(self.run, std::mem::take(&mut self.unacknowledged));
        }
    }

    /// What was to be stopped and never began has been stopped.
    fn lost(&self) -> RunReport {
        let end = match self.entered {
            Lost::BeforeStart if self.stopping => RunEnd::Stopped,
            entered => RunEnd::Lost(entered),
        };
        let wall_ms = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        report(end, Usage { wall_ms, ..Usage::default() })
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

/// The report of a run that no runner has seen.
pub(crate) fn unseen(end: RunEnd) -> RunReport {
    report(end, Usage::default())
}

fn report(end: RunEnd, usage: Usage) -> RunReport {
    RunReport { end, usage, stdout_dropped: 0, stderr_dropped: 0 }
}
