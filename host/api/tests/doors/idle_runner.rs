//! A runner that never has a place: executions stay requested.

use async_trait::async_trait;
use attune_domain::runner::{Job, OutputSink, Place, RunReport, Runner, StopSignal};

pub(crate) struct IdleRunner;

#[async_trait]
impl Runner for IdleRunner {
    fn try_reserve(&self) -> Option<Place> {
        None
    }

    async fn reserve(&self) -> Place {
        std::future::pending().await
    }

    async fn run(
        &self,
        _place: Place,
        _job: Job,
        _output: &mut dyn OutputSink,
        _stop: StopSignal,
    ) -> RunReport {
        unreachable!("nobody has a place")
    }
}
