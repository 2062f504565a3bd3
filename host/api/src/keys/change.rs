//! Changing keys: read, changed, sealed, and written if nobody else came first.

use attune_domain::Json;
use attune_domain::access::{Principal, Resource, Target, Verb, decide};
use attune_domain::audit::NewAuditEvent;
use attune_domain::key::{KeyChange, SealedKey, arithmetic};
use attune_domain::store::StoreError;
use serde_json::json;

use super::{event, found, may_decrypt, open, seal, shown_value};
use crate::input::Patch;
use crate::models::key::{KeyResponse, UpdateKeyRequest};
use crate::problem::Problem;
use crate::state::ApiState;

/// Times that a change begins anew because another server came first.
const ATTEMPTS: usize = 100;

/// Changes a key as asked, if it is as expected.
pub(crate) async fn update(
    state: &ApiState,
    caller: &Principal,
    reference: &str,
    request: &UpdateKeyRequest,
) -> Result<KeyResponse, Problem> {
    let _turn = state.key_turns.take(caller.scope().tenant(), reference).await;
    for _ in 0..ATTEMPTS {
        let stored = found(state, caller, Verb::Update, reference).await?;
        check_expected(state, caller, &stored, request).await?;
        let value = match &request.value {
            Some(value) => Some(seal(state, caller.scope(), reference, &value.0).await?),
            None => None,
        };
        let change = KeyChange {
            name: request.name.clone(),
            encrypted: request.encrypted,
            expires_at: request.expiry(state.clock.now())?.map(Patch::into_value),
            value,
        };
        let details = json!({"changed": request.changed()});
        let Some(stored) = commit(state, caller, stored, change, details).await? else { continue };
        let value = match &request.value {
            Some(value) if may_decrypt(caller, &stored.key) => value.0.clone(),
            Some(_) => Json::Null,
            None => shown_value(state, caller, &stored).await?,
        };
        return Ok(KeyResponse::new(stored.key, value));
    }
    Err(busy(reference))
}

/// Adds to the number that a key holds. Its expiry stays.
pub(crate) async fn increment(
    state: &ApiState,
    caller: &Principal,
    reference: &str,
    by: i64,
) -> Result<KeyResponse, Problem> {
    let _turn = state.key_turns.take(caller.scope().tenant(), reference).await;
    for _ in 0..ATTEMPTS {
        let stored = found(state, caller, Verb::Update, reference).await?;
        let value = open(state, caller.scope(), &stored).await?;
        let sum = arithmetic::add(&value, by);
        let sum = sum.map_err(|problem| Problem::invalid("value", problem.to_string()))?;
        let sealed = seal(state, caller.scope(), reference, &sum).await?;
        let shown = may_decrypt(caller, &stored.key);
        let change = KeyChange { value: Some(sealed), ..KeyChange::default() };
        let details = json!({"changed": ["value"], "incremented": true, "read": shown});
        let Some(stored) = commit(state, caller, stored, change, details).await? else { continue };
        return Ok(KeyResponse::new(stored.key, if shown { sum } else { Json::Null }));
    }
    Err(busy(reference))
}

/// None when somebody else has changed the key, or exchanged its data key, since it was read.
async fn commit(
    state: &ApiState,
    caller: &Principal,
    stored: SealedKey,
    change: KeyChange,
    details: Json,
) -> Result<Option<SealedKey>, Problem> {
    let SealedKey { key, value } = stored;
    let value = change.value.clone().unwrap_or(value);
    let mut audit: NewAuditEvent = event(caller, "key.update", &key.reference, &key.owner);
    if let (Some(all), Json::Object(more)) = (audit.details.as_object_mut(), details) {
        all.extend(more);
    }
    // A grant for what is marked as a secret, or for what is not, holds on both sides of a change.
    let encrypted = change.encrypted.unwrap_or(key.encrypted);
    let after = Target { encrypted: Some(encrypted), ..key.target() };
    decide(caller, Resource::Keys, Verb::Update, after)?;
    match state.store.update_key(caller.scope(), &key, change, audit, state.clock.now()).await {
        Ok(key) => Ok(Some(SealedKey { key, value })),
        Err(StoreError::Conflict) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Refuses a change of what is not as the caller believes. Comparing tells what the value is, so
/// it takes `keys:decrypt`.
async fn check_expected(
    state: &ApiState,
    caller: &Principal,
    stored: &SealedKey,
    request: &UpdateKeyRequest,
) -> Result<(), Problem> {
    let (reference, version) = (&stored.key.reference, stored.key.version);
    if let Some(expected) = request.expected_version
        && expected != version
    {
        let text = format!("Key '{reference}' has version {version}, not {expected}");
        return Err(Problem::conflict(text).with_details(json!({"version": version})));
    }
    let Some(expected) = &request.expected_value else { return Ok(()) };
    decide(caller, Resource::Keys, Verb::Decrypt, stored.key.target())?;
    if open(state, caller.scope(), stored).await? == expected.0 {
        return Ok(());
    }
    let text = format!("Key '{reference}' holds another value than the expected one");
    Err(Problem::conflict(text).with_details(json!({"version": version})))
}

fn busy(reference: &str) -> Problem {
    Problem::conflict(format!("Key '{reference}' is changed by others all the time; try again"))
}
