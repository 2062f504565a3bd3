//! What is measured of the runners.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const RUNNERS: &str = "attune_runners";
const INSTANCES: &str = "attune_instances_total";
const DEATHS: &str = "attune_runner_deaths_total";
const START_FAILURES: &str = "attune_runner_start_failures_total";

/// Runner processes, by what they do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) spare: usize,
    pub(super) binding: usize,
    pub(super) idle: usize,
    pub(super) busy: usize,
}

/// Says what the numbers of this room are, and that no runner has failed yet.
pub fn describe_metrics() {
    describe_gauge!(
        RUNNERS,
        Unit::Count,
        "Runner processes: spare (they wait for a tenant), binding (they get one), and those of a \
         tenant that are idle or busy."
    );
    describe_counter!(
        INSTANCES,
        Unit::Count,
        "Instances that runs were given, by whether one was ready (primed) or had to be made."
    );
    describe_counter!(DEATHS, Unit::Count, "Runners of tenants that the server did not end.");
    describe_counter!(START_FAILURES, Unit::Count, "Runners that did not get through their start.");
    for primed in ["true", "false"] {
        counter!(INSTANCES, "primed" => primed).increment(0);
    }
    counter!(DEATHS).increment(0);
    counter!(START_FAILURES).increment(0);
}

pub(super) fn runners(count: Count) {
    let Count { spare, binding, idle, busy } = count;
    for (state, count) in [("spare", spare), ("binding", binding), ("idle", idle), ("busy", busy)] {
        gauge!(RUNNERS, "state" => state).set(u32::try_from(count).unwrap_or(u32::MAX));
    }
}

/// A run was given an instance.
pub(super) fn instance(primed: bool) {
    let primed = if primed { "true" } else { "false" };
    counter!(INSTANCES, "primed" => primed).increment(1);
}

/// A runner died of itself.
pub(super) fn death() {
    counter!(DEATHS).increment(1);
}

/// A runner did not get through its start.
pub(super) fn start_failure() {
    counter!(START_FAILURES).increment(1);
}
