//! The keys that an action sees (contract, packs section 6.3): the tenant's own, its pack's and
//! its own, by name, opened.

use attune_domain::access::Scope;
use attune_domain::action::Action;
use attune_domain::execution::Execution;
use attune_domain::execution::outcome::{self, Outcome};
use attune_domain::key::SealedKey;
use attune_domain::store::StoreResult;
use attune_domain::vault::{Place, VaultError};
use attune_domain::{Json, JsonObject};
use futures::FutureExt;

use crate::commit;
use crate::shared::Shared;

/// Values may be sealed anew while they are read; never so often.
const ATTEMPTS: usize = 5;

/// What an action is given beside its parameters.
#[derive(Default)]
pub(super) struct Secrets {
    pub(super) values: JsonObject,
    /// Those that must not be kept of what it writes.
    pub(super) hidden: Vec<Json>,
}

impl Secrets {
    /// Reads and opens them; a value that does not open is no run.
    pub(super) async fn of(
        shared: &Shared,
        execution: &Execution,
        action: &Action,
    ) -> Result<Secrets, Outcome> {
        for _ in 0..ATTEMPTS {
            let open = || open_all(shared, execution, action).boxed();
            match commit::for_sure(shared, open).await {
                Ok(Ok(secrets)) => return Ok(secrets),
                Ok(Err(VaultError::Stale)) => {}
                Ok(Err(problem)) => return Err(refusal(&problem.to_string())),
                Err(problem) => return Err(refusal(&problem.to_string())),
            }
        }
        Err(refusal("they are sealed anew all the time"))
    }

    fn add(&mut self, key: SealedKey, value: Json) {
        if key.key.encrypted {
            self.hidden.push(value.clone());
        }
        self.values.insert(key.key.name, value);
    }
}

fn refusal(problem: &str) -> Outcome {
    outcome::of_setup_problem(&format!("the keys that the action sees cannot be read: {problem}"))
}

async fn open_all(
    shared: &Shared,
    execution: &Execution,
    action: &Action,
) -> StoreResult<Result<Secrets, VaultError>> {
    let scope = Scope::of_execution(execution);
    let now = shared.clock.now();
    let keys = shared.store.keys_for_action(scope, action.pack, action.id, now).await?;
    let mut secrets = Secrets::default();
    for key in keys {
        match open(shared, scope, &key).await {
            Ok(value) => secrets.add(key, value),
            Err(VaultError::Store(error)) => return Err(error),
            Err(problem) => return Ok(Err(problem)),
        }
    }
    Ok(Ok(secrets))
}

async fn open(shared: &Shared, scope: Scope, key: &SealedKey) -> Result<Json, VaultError> {
    let plain = shared.vault.open(scope, Place::Key(&key.key.reference), &key.value).await?;
    serde_json::from_slice(&plain).map_err(|_| VaultError::Damaged)
}
