//! Where the numbers of all rooms come together, and the text in which Prometheus reads them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use attune_api::Exposition;
use attune_orchestrator::Orchestrator;
use attune_sandbox::Sandbox;
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::process;

const BUILD: &str = "attune_build_info";

/// Bounds of what is measured in seconds: from a write to the longest run that is usual.
const SECONDS: [f64; 17] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
    300.0,
];
/// Bounds of what is counted in jobs.
const JOBS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// Samples gather until they are sorted into their histograms.
const SORT_EVERY: Duration = Duration::from_secs(5);

/// Everything that is measured in this process.
#[derive(Clone)]
pub(crate) struct Measurements {
    recorder: PrometheusHandle,
}

impl Measurements {
    /// Starts to measure. Before, and in processes that do not, numbers go nowhere.
    pub(crate) fn start() -> anyhow::Result<Measurements> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .and_then(|recorder| {
                recorder.set_buckets_for_metric(Matcher::Suffix("_jobs".to_owned()), &JOBS)
            })
            .and_then(PrometheusBuilder::install_recorder)
            .context("nothing can be measured")?;
        describe();
        Ok(Measurements { recorder })
    }

    /// Keeps memory small when nobody reads; never returns.
    pub(crate) async fn keep_sorted(self) {
        let mut time = tokio::time::interval(SORT_EVERY);
        loop {
            time.tick().await;
            self.recorder.run_upkeep();
        }
    }

    /// What the API shows of it.
    pub(crate) fn exposition(
        self,
        orchestrator: Orchestrator,
        sandbox: Option<Arc<Sandbox>>,
    ) -> Exposition {
        Arc::new(move || {
            let recorder = self.recorder.clone();
            let (orchestrator, sandbox) = (orchestrator.clone(), sandbox.clone());
            Box::pin(async move {
                process::update();
                if let Some(sandbox) = sandbox {
                    sandbox.update_gauges();
                }
                orchestrator.update_gauges().await;
                recorder.render()
            })
        })
    }
}

fn describe() {
    attune_store::describe_metrics();
    attune_sandbox::describe_metrics();
    attune_orchestrator::describe_metrics();
    attune_api::describe_metrics();
    process::describe();
    describe_gauge!(BUILD, Unit::Count, "Always 1; the label tells the server's version.");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1);
}
