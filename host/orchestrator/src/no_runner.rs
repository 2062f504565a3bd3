//! A server that runs nothing itself.

use async_trait::async_trait;
use attune_domain::runner::{
    Job, Lost, OutputSink, Place, RunEnd, RunReport, Runner, StopSignal, Usage,
};

/// Has no place for a run, ever.
pub(crate) struct NoRunner;

#[async_trait]
impl Runner for NoRunner {
    fn try_reserve(&self) -> Option<Place> {
        None
    }

    async fn reserve(&self) -> Place {
        std::future::pending().await
    }

    async fn run(&self, _: Place, _: Job, _: &mut dyn OutputSink, _: StopSignal) -> RunReport {
        let end = RunEnd::Lost(Lost::BeforeStart);
        RunReport { end, usage: Usage::default(), stdout_dropped: 0, stderr_dropped: 0 }
    }
}
