//! What was denied is told: in the log, and in the tenant's audit.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use attune_domain::audit::{AuditCategory, AuditOutcome, NewAuditEvent};
use attune_domain::clock::Clock;
use attune_domain::egress::Caller;
use attune_domain::egress::grant::Wish;
use attune_domain::id::ExecutionId;
use attune_domain::store::Store;
use serde_json::json;

/// Runs whose denials are remembered, so that one which asks in a loop is told of once.
const REMEMBERED: usize = 10_000;
/// Denials of one run that are told of.
const OF_ONE_RUN: usize = 20;

/// Tells of denials, of each once.
pub(crate) struct Denials {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    told: Mutex<HashMap<ExecutionId, HashSet<String>>>,
}

impl Denials {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Denials {
        Denials { store, clock, told: Mutex::default() }
    }

    pub(crate) async fn note(&self, caller: &Caller, wish: &Wish, reason: &str) {
        if !self.is_news(caller.execution, format!("{wish} {reason}")) {
            return;
        }
        tracing::info!(execution = %caller.execution, action = %caller.action, peer = %wish,
            method = wish.method, reason, "an action's request was denied");
        let event = NewAuditEvent {
            category: AuditCategory::Execution,
            event_type: "egress.denied".to_owned(),
            outcome: AuditOutcome::Denied,
            actor_identity: caller.executor,
            resource_type: "execution".to_owned(),
            resource_id: Some(caller.execution.0),
            resource_ref: Some(caller.action.to_string()),
            details: json!({
                "host": wish.host.to_string(),
                "port": wish.port,
                "method": wish.method,
                "reason": reason,
            }),
        };
        let recorded = self.store.record_audit_event(caller.scope, event, self.clock.now()).await;
        if let Err(error) = recorded {
            tracing::warn!(%error, execution = %caller.execution, "a denial is not in the audit");
        }
    }

    fn is_news(&self, execution: ExecutionId, denial: String) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REMEMBERED {
            told.clear();
        }
        let of_this_run = told.entry(execution).or_default();
        of_this_run.len() < OF_ONE_RUN && of_this_run.insert(denial)
    }
}
