//! Keys behind the routes: found as far as their caller may, opened, sealed and changed.

mod change;
mod owner;
mod turns;

use attune_domain::Json;
use attune_domain::access::{Principal, Resource, Scope, Target, Verb, decide, decide_early};
use attune_domain::audit::{AuditCategory, AuditOutcome, NewAuditEvent};
use attune_domain::key::{
    self, Key, KeyCreated, MAX_KEYS_OF_OWNER, MAX_VALUE_BYTES, NewKey, SealedKey,
};
use attune_domain::owner::Owner;
use attune_domain::store::StoreError;
use attune_domain::vault::{Place, Sealed, VaultError};
use serde_json::json;

use crate::models::key::CreateKeyRequest;
use crate::problem::Problem;
use crate::state::ApiState;

pub(crate) use change::{increment, update};
pub(crate) use turns::Turns;

/// Times that something is done again whose data key was exchanged in the middle.
const ATTEMPTS: usize = 5;

/// A key that the caller may do `verb` to. One that it may not see is 404.
pub(crate) async fn found(
    state: &ApiState,
    caller: &Principal,
    verb: Verb,
    reference: &str,
) -> Result<SealedKey, Problem> {
    // Whoever has no such grant at all learns nothing of what there is.
    decide_early(caller, Resource::Keys, verb)?;
    let found = state.store.key(caller.scope(), reference, state.clock.now()).await?;
    let may = |verb, target: Target<'_>| decide(caller, Resource::Keys, verb, target);
    let found = found.filter(|found| {
        let target = found.key.target();
        may(verb, target).is_ok() || may(Verb::Read, target).is_ok()
    });
    let found = found.ok_or_else(|| not_found(reference))?;
    may(verb, found.key.target())?;
    Ok(found)
}

pub(crate) fn not_found(reference: &str) -> Problem {
    Problem::not_found(format!("Key '{reference}' not found"))
}

pub(crate) fn may_decrypt(caller: &Principal, key: &Key) -> bool {
    decide(caller, Resource::Keys, Verb::Decrypt, key.target()).is_ok()
}

/// The value as the caller may see it: null without `keys:decrypt`. No value leaves before its
/// reading is in the audit.
pub(crate) async fn shown_value(
    state: &ApiState,
    caller: &Principal,
    stored: &SealedKey,
) -> Result<Json, Problem> {
    if !may_decrypt(caller, &stored.key) {
        return Ok(Json::Null);
    }
    let value = open(state, caller.scope(), stored).await?;
    let key = &stored.key;
    let event = NewAuditEvent {
        resource_id: Some(key.id.0),
        ..event(caller, "key.read", &key.reference, &key.owner)
    };
    state.store.record_audit_event(caller.scope(), event, state.clock.now()).await?;
    Ok(value)
}

/// The value of a key, whoever asks.
async fn open(state: &ApiState, scope: Scope, stored: &SealedKey) -> Result<Json, Problem> {
    let text = match open_sealed(state, scope, stored).await {
        Err(VaultError::Stale) => {
            let key = &stored.key;
            let again = state.store.key(scope, &key.reference, state.clock.now()).await?;
            let is_same =
                |again: &SealedKey| (again.key.id, again.key.version) == (key.id, key.version);
            let again = again.filter(is_same).ok_or(VaultError::Stale)?;
            open_sealed(state, scope, &again).await?
        }
        opened => opened?,
    };
    serde_json::from_slice(&text).map_err(|error| Problem::fault(&error, "reading a stored value"))
}

async fn open_sealed(
    state: &ApiState,
    scope: Scope,
    stored: &SealedKey,
) -> Result<Vec<u8>, VaultError> {
    state.vault.open(scope, Place::Key(&stored.key.reference), &stored.value).await
}

async fn seal(
    state: &ApiState,
    scope: Scope,
    reference: &str,
    value: &Json,
) -> Result<Sealed, Problem> {
    let text = serde_json::to_vec(value)
        .map_err(|error| Problem::fault(&error, "writing a stored value"))?;
    if text.len() > MAX_VALUE_BYTES {
        let problem = format!("has {} bytes, of which {MAX_VALUE_BYTES} are allowed", text.len());
        return Err(Problem::invalid("value", problem));
    }
    Ok(state.vault.seal(scope, Place::Key(reference), &text).await?)
}

/// Creates a key.
pub(crate) async fn create(
    state: &ApiState,
    caller: &Principal,
    request: &CreateKeyRequest,
) -> Result<Key, Problem> {
    decide_early(caller, Resource::Keys, Verb::Create)?;
    let (scope, reference, now) = (caller.scope(), &request.reference, state.clock.now());
    let owner = owner::resolve(state, caller, request).await?;
    let target = key::target(reference, &owner, request.encrypted);
    decide(caller, Resource::Keys, Verb::Create, target)?;
    for attempt in 1.. {
        let new = NewKey {
            reference: reference.clone(),
            name: request.name.clone(),
            owner: owner.clone(),
            encrypted: request.encrypted,
            expires_at: request.expiry(now)?,
            value: seal(state, scope, reference, &request.value.0).await?,
        };
        let audit = event(caller, "key.create", reference, &owner);
        match state.store.create_key(scope, new, audit, now).await {
            Ok(KeyCreated::New(key)) => return Ok(key),
            Ok(KeyCreated::TooMany) => break,
            Err(StoreError::Duplicate(_)) => {
                return Err(Problem::conflict(format!("Key '{reference}' already exists")));
            }
            Err(StoreError::Conflict) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
    let problem = format!("has {MAX_KEYS_OF_OWNER} keys already, as many as an owner may have");
    Err(Problem::invalid("owner", problem))
}

/// Deletes a key.
pub(crate) async fn delete(
    state: &ApiState,
    caller: &Principal,
    reference: &str,
) -> Result<(), Problem> {
    let key = found(state, caller, Verb::Delete, reference).await?.key;
    let audit = event(caller, "key.delete", reference, &key.owner);
    let deleted = state.store.delete_key(caller.scope(), &key, audit, state.clock.now()).await?;
    if deleted { Ok(()) } else { Err(not_found(reference)) }
}

/// What the audit is told: which key, and never what it holds. The store adds the id.
fn event(caller: &Principal, event_type: &str, reference: &str, owner: &Owner) -> NewAuditEvent {
    NewAuditEvent {
        category: AuditCategory::Secret,
        event_type: event_type.to_owned(),
        outcome: AuditOutcome::Success,
        actor_identity: Some(caller.identity()),
        resource_type: "key".to_owned(),
        resource_id: None,
        resource_ref: Some(reference.to_owned()),
        details: json!({"owner_type": owner.kind().as_str(), "owner": owner.text(),
            "token": caller.token().as_str()}),
    }
}
