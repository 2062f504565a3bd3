//! Workers (contract, operations section 3).

use attune_domain::clock::Timestamp;
use attune_domain::worker::{Health, RuntimeSupport, Worker};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::input::{Checks, Validate};
use crate::problem::Problem;

#[derive(Deserialize, ToSchema)]
pub(crate) struct CordonWorkerRequest {
    pub(crate) reason: Option<String>,
}

impl Validate for CordonWorkerRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default().maybe("reason", self.reason.as_ref(), 0, 1000).done()
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WorkerSummary {
    id: i64,
    name: String,
    worker_type: &'static str,
    worker_role: &'static str,
    host: Option<String>,
    port: Option<u16>,
    status: &'static str,
    last_heartbeat: DateTime<Utc>,
    heartbeat_age_seconds: i64,
    heartbeat_stale: bool,
    cordoned: bool,
    cordon_reason: Option<String>,
    cordoned_by: Option<i64>,
    cordoned_at: Option<DateTime<Utc>>,
    #[schema(value_type = String)]
    health_state: Health,
    supported_runtimes: Vec<WorkerRuntimeSupport>,
    load: WorkerLoadSnapshot,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
struct WorkerRuntimeSupport {
    name: String,
    versions: Vec<String>,
}

impl From<RuntimeSupport> for WorkerRuntimeSupport {
    fn from(support: RuntimeSupport) -> WorkerRuntimeSupport {
        WorkerRuntimeSupport { name: support.name, versions: support.versions }
    }
}

/// What a worker has to do. What is requested waits in a queue that all workers share.
#[derive(Serialize, ToSchema)]
struct WorkerLoadSnapshot {
    requested: u32,
    scheduling: u32,
    scheduled: u32,
    running: u32,
    canceling: u32,
    total_active: u32,
    max_concurrent_executions: Option<u32>,
    utilization_percent: Option<u32>,
    queue_depth: Option<u32>,
    sensor_processes_running: Option<u32>,
    sensor_processes_monitored: Option<u32>,
    active_rules: Option<u32>,
    max_concurrent_sensors: Option<u32>,
}

impl WorkerSummary {
    pub(crate) fn new(worker: Worker, queue_depth: u32, now: Timestamp) -> WorkerSummary {
        WorkerSummary {
            id: worker.id.0,
            worker_type: "local",
            worker_role: "action",
            host: None,
            port: None,
            status: status(&worker),
            last_heartbeat: worker.seen,
            heartbeat_age_seconds: worker.silence(now),
            heartbeat_stale: worker.is_stale(now),
            cordoned: worker.cordon.is_some(),
            cordoned_by: worker.cordon.as_ref().and_then(|cordon| cordon.by).map(|by| by.0),
            cordoned_at: worker.cordon.as_ref().map(|cordon| cordon.at),
            health_state: worker.health(now),
            load: WorkerLoadSnapshot::new(&worker, queue_depth),
            supported_runtimes: worker.capacity.runtimes.into_iter().map(Into::into).collect(),
            created: worker.created,
            updated: worker.updated,
            cordon_reason: worker.cordon.and_then(|cordon| cordon.reason),
            name: worker.name,
        }
    }
}

/// The status word of the contract.
pub(crate) fn status(worker: &Worker) -> &'static str {
    if worker.active { "active" } else { "inactive" }
}

impl WorkerLoadSnapshot {
    fn new(worker: &Worker, queue_depth: u32) -> WorkerLoadSnapshot {
        let (held, places) = (worker.held, worker.capacity.places);
        WorkerLoadSnapshot {
            requested: queue_depth,
            scheduling: 0,
            scheduled: held.scheduled,
            running: held.running,
            canceling: held.canceling,
            total_active: held.total(),
            max_concurrent_executions: Some(places),
            utilization_percent: (held.total() * 100).checked_div(places),
            queue_depth: Some(queue_depth),
            sensor_processes_running: None,
            sensor_processes_monitored: None,
            active_rules: None,
            max_concurrent_sensors: None,
        }
    }
}
