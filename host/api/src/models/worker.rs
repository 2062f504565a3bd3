//! Workers (contract, operations section 3).

use attune_domain::clock::Timestamp;
use attune_domain::worker::{Health, Worker};
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
    name: &'static str,
    versions: Vec<&'static str>,
}

/// What a worker had to do at its last heartbeat.
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
    pub(crate) fn new(worker: Worker, now: Timestamp) -> WorkerSummary {
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
            supported_runtimes: vec![WorkerRuntimeSupport { name: "python", versions: vec![] }],
            load: WorkerLoadSnapshot::new(&worker),
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
    fn new(worker: &Worker) -> WorkerLoadSnapshot {
        let percent = (worker.running * 100).checked_div(worker.places);
        WorkerLoadSnapshot {
            requested: 0,
            scheduling: 0,
            scheduled: 0,
            running: worker.running,
            canceling: 0,
            total_active: worker.running,
            max_concurrent_executions: Some(worker.places),
            utilization_percent: percent,
            queue_depth: None,
            sensor_processes_running: None,
            sensor_processes_monitored: None,
            active_rules: None,
            max_concurrent_sensors: None,
        }
    }
}
