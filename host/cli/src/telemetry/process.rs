//! What this process uses, under the names that every exporter for Prometheus has for it. Runners
//! are processes of their own, and not in it.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use procfs::process::Process;
use procfs::{ProcResult, boot_time_secs, page_size, ticks_per_second};

const CPU: &str = "process_cpu_seconds_total";
const MEMORY: &str = "process_resident_memory_bytes";
const OPEN_FILES: &str = "process_open_fds";
const STARTED: &str = "process_start_time_seconds";
const THREADS: &str = "process_threads";

pub(super) fn describe() {
    describe_counter!(CPU, Unit::Seconds, "Processor time of the server, without its runners.");
    describe_gauge!(MEMORY, Unit::Bytes, "Memory of the server, without its runners.");
    describe_gauge!(OPEN_FILES, Unit::Count, "Files and sockets that the server has open.");
    describe_gauge!(STARTED, Unit::Seconds, "When the server was started, since 1970 UTC.");
    describe_gauge!(THREADS, Unit::Count, "Threads of the server.");
}

pub(super) fn update() {
    if let Err(error) = read() {
        tracing::debug!(%error, "what the process uses cannot be read");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and far from its limits here")]
fn read() -> ProcResult<()> {
    let process = Process::myself()?;
    let usage = process.stat()?;
    let ticks = ticks_per_second();
    counter!(CPU).absolute((usage.utime + usage.stime) / ticks);
    gauge!(MEMORY).set((usage.rss * page_size()) as f64);
    gauge!(OPEN_FILES).set(process.fd_count()? as f64);
    gauge!(STARTED).set(boot_time_secs()? as f64 + usage.starttime as f64 / ticks as f64);
    gauge!(THREADS).set(usage.num_threads as f64);
    Ok(())
}
