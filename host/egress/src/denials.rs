//! What was denied is told: in the log, and in the tenant's audit.
//!
//! Each kind of denial of a run is told of at once. What is denied again is counted, and told of
//! in one line and one row a little later, so that a guest which asks in a loop cannot fill them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attune_domain::audit::{AuditCategory, AuditOutcome, NewAuditEvent};
use attune_domain::clock::Clock;
use attune_domain::egress::Caller;
use attune_domain::egress::grant::Wish;
use attune_domain::id::ExecutionId;
use attune_domain::store::Store;
use serde_json::json;

/// How long repeated denials are counted before they are told of.
const COUNTED_FOR: Duration = Duration::from_secs(5);
/// Kinds of denials of one run that are told of one by one; what comes after is one more kind.
const KINDS: usize = 20;

/// Tells of denials.
#[derive(Clone)]
pub(crate) struct Denials(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    runs: Mutex<HashMap<ExecutionId, Run>>,
}

/// What a run was denied since it was last looked after.
struct Run {
    caller: Caller,
    kinds: HashMap<String, Denial>,
    /// Of kinds that were too many.
    others: Option<Denial>,
}

/// Something that was denied, and how often since it was last told of.
#[derive(Clone)]
struct Denial {
    wish: Wish,
    reason: String,
    untold: u64,
}

impl Denials {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Denials {
        Denials(Arc::new(Inner { store, clock, runs: Mutex::default() }))
    }

    pub(crate) async fn note(&self, caller: &Caller, wish: &Wish, reason: &str) {
        let denial = Denial { wish: wish.clone(), reason: reason.to_owned(), untold: 1 };
        if let Some(news) = self.count(caller, denial) {
            self.0.tell(caller, &news).await;
        }
    }

    /// Tells of all that was counted: nobody will have the time to do it later.
    pub(crate) async fn settle(&self) {
        let runs: Vec<_> = self.0.runs().keys().copied().collect();
        for execution in runs {
            self.tell_again(execution).await;
        }
    }

    /// The denial itself, if it is of a kind that this run has not had lately.
    fn count(&self, caller: &Caller, denial: Denial) -> Option<Denial> {
        let mut runs = self.0.runs();
        let run = runs.entry(caller.execution).or_insert_with(|| {
            self.look_after(caller.execution);
            Run { caller: caller.clone(), kinds: HashMap::new(), others: None }
        });
        let kinds = run.kinds.len();
        match run.kinds.entry(format!("{} {}", denial.wish, denial.reason)) {
            Entry::Occupied(mut known) => known.get_mut().untold += 1,
            Entry::Vacant(new) if kinds < KINDS => {
                new.insert(Denial { untold: 0, ..denial.clone() });
                return Some(denial);
            }
            Entry::Vacant(_) => {
                let untold = run.others.as_ref().map_or(0, |others| others.untold);
                run.others = Some(Denial { untold: untold + 1, ..denial });
            }
        }
        None
    }

    /// Tells of what is denied again, until a while passes without any.
    fn look_after(&self, execution: ExecutionId) {
        let denials = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(COUNTED_FOR).await;
                if !denials.tell_again(execution).await {
                    return;
                }
            }
        });
    }

    /// Tells of what was counted, if there is anything.
    async fn tell_again(&self, execution: ExecutionId) -> bool {
        let Some((caller, untold)) = self.0.take(execution) else { return false };
        for denial in untold {
            self.0.tell(&caller, &denial).await;
        }
        true
    }
}

impl Inner {
    /// What has not been told of; none, and the run is forgotten, if there is nothing.
    fn take(&self, execution: ExecutionId) -> Option<(Caller, Vec<Denial>)> {
        let mut runs = self.runs();
        let run = runs.get_mut(&execution)?;
        let counted = run.kinds.values_mut().filter(|denial| denial.untold > 0).map(|denial| {
            let told = denial.clone();
            denial.untold = 0;
            told
        });
        let untold: Vec<_> = counted.chain(run.others.take()).collect();
        if untold.is_empty() {
            runs.remove(&execution);
            return None;
        }
        Some((run.caller.clone(), untold))
    }

    async fn tell(&self, caller: &Caller, Denial { wish, reason, untold }: &Denial) {
        tracing::info!(execution = %caller.execution, action = %caller.action, peer = %wish,
            method = wish.method, reason, count = untold, "an action's request was denied");
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
                "count": untold,
            }),
        };
        let recorded = self.store.record_audit_event(caller.scope, event, self.clock.now()).await;
        if let Err(error) = recorded {
            tracing::warn!(%error, execution = %caller.execution, "a denial is not in the audit");
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<ExecutionId, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
