//! One run, from a job to its report.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;

use attune_domain::native::NativeJob;
use attune_domain::runner::{Lost, OutputSink, RunEnd, RunReport, StopSignal, Usage};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::channel::Channel;
use super::output::{self, Signals, Totals};
use super::supervision::{Ended, Life, Patience, Supervision};
use super::{Native, command, stdio};
use crate::init::memory_file;
use crate::packets;
use crate::protocol::{Start, ToRun};

/// Dropping the future ends the run.
pub(super) async fn run(
    native: &Native,
    job: NativeJob,
    sink: &mut dyn OutputSink,
    stop: StopSignal,
) -> RunReport {
    match begin(native, &job).await {
        Ok((life, pipes)) => follow(native, &job, life, pipes, sink, stop).await,
        Err(end) => report(Ended::without_a_program(end), Totals::default()),
    }
}

/// Has the launcher start an init, and tells it what to do; does not wait for either.
async fn begin(native: &Native, job: &NativeJob) -> Result<(Life, stdio::Ours), RunEnd> {
    let settings = &native.settings;
    let task = command::task(job, &settings.interpreters, settings.max_processes)
        .map_err(RunEnd::NotSetUp)?;
    let pack = command::pack_folder(job, &settings.packs_dir).map_err(RunEnd::NotSetUp)?;
    let unable = |error: io::Error| RunEnd::NotSetUp(format!("the server cannot do it: {error}"));
    let task = memory_file(&task).map_err(unable)?;
    let slot = native.slots.take();
    let outer = slot.ids();
    let (ours, theirs) = stdio::pipes(job, outer).map_err(unable)?;
    let (here, there) = packets::pair().map_err(unable)?;
    let life = Life::new(Channel::new(here).map_err(unable)?, slot);
    let [stdin, stdout, stderr] = &theirs;
    let with = [task.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let lost = |_| RunEnd::Lost(Lost::BeforeStart);
    life.channel.send(&ToRun::Begin, &with).await.map_err(lost)?;
    let start = Start { outer, pack };
    native.launchers.send(&start, there).await.map_err(lost)?;
    Ok((life, ours))
}

async fn follow(
    native: &Native,
    job: &NativeJob,
    life: Life,
    pipes: stdio::Ours,
    sink: &mut dyn OutputSink,
    stop: StopSignal,
) -> RunReport {
    let signals = Signals { ended: CancellationToken::new(), over_limit: CancellationToken::new() };
    let (open_door, door) = oneshot::channel();
    let patience = Patience::new(&native.settings, &job.limits);
    let supervision = async {
        let supervision = Supervision::new(life, patience, open_door);
        let ended = supervision.until_the_end(stop, &signals.over_limit).await;
        signals.ended.cancel();
        ended
    };
    let output = output::copy(pipes.stdout, pipes.stderr, &job.limits, sink, &signals);
    let both = async { tokio::join!(supervision, output) };
    let (ended, totals) = tokio::select! {
        both = both => both,
        never = serve(native, job, pipes.stdin, door) => match never {},
    };
    report(ended, totals)
}

/// What a run gets from the server while it goes on: its input, and somebody at the door.
async fn serve(
    native: &Native,
    job: &NativeJob,
    stdin: stdio::Stdin,
    door: oneshot::Receiver<std::net::TcpListener>,
) -> Infallible {
    let attend = async {
        if let Ok(door) = door.await {
            native.settings.egress.attend(&job.caller, door).await;
        }
    };
    tokio::join!(stdin.feed(), attend);
    std::future::pending().await
}

fn report(ended: Ended, totals: Totals) -> RunReport {
    RunReport {
        end: ended.end,
        usage: Usage {
            fuel: 0,
            peak_memory_bytes: ended.peak_memory_bytes,
            wall_ms: ended.wall.as_millis().try_into().unwrap_or(u64::MAX),
            output_bytes: totals.written,
        },
        stdout_dropped: totals.stdout_dropped,
        stderr_dropped: totals.stderr_dropped,
    }
}
