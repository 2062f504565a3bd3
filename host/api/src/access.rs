//! Loading what a request names, as far as its caller may see it. The decisions
//! themselves are `attune_domain::access`.

use std::collections::BTreeSet;

use attune_catalog::IncomingPack;
use attune_domain::access::{
    Denied, Grant, PermissionSet, Principal, Resource, Scope, Target, Verb, decide, may_delegate,
    may_see_pack, pack_refs_seen_by_grant,
};
use attune_domain::action::{Action, RunnableAction};
use attune_domain::execution::Execution;
use attune_domain::id::TenantId;
use attune_domain::pack::Pack;
use attune_domain::store::{PackFilter, StoreResult};

use crate::problem::Problem;
use crate::state::ApiState;

/// Gives an execution access to its own keys and artifacts, and nothing of the caller's.
pub(crate) const STANDARD_ACCESS: &str = "standard";

/// A pack that the caller may see; 404 for any other.
pub(crate) async fn visible_pack(
    state: &ApiState,
    caller: &Principal,
    reference: &str,
) -> Result<Pack, Problem> {
    let pack = state.store.pack(caller.scope(), reference).await?;
    pack.filter(|pack| may_see_pack(caller, pack))
        .ok_or_else(|| Problem::not_found(format!("Pack '{reference}' not found")))
}

/// An action of a pack that the caller may see; 404 for any other.
pub(crate) async fn visible_action(
    state: &ApiState,
    caller: &Principal,
    reference: &str,
) -> Result<RunnableAction, Problem> {
    let found = state.store.runnable_action(caller.scope(), reference).await?;
    found
        .filter(|found| may_see_pack(caller, &found.pack))
        .ok_or_else(|| Problem::not_found(format!("Action '{reference}' not found")))
}

/// Which packs, and whose actions, lists show the caller.
pub(crate) fn visible_packs(caller: &Principal) -> PackFilter {
    PackFilter { created_by: Some(caller.identity()), refs: pack_refs_seen_by_grant(caller) }
}

/// The decision about a pack.
pub(crate) fn decide_pack(caller: &Principal, verb: Verb, reference: &str) -> Result<(), Denied> {
    let target =
        Target { reference: Some(reference), pack_ref: Some(reference), ..Target::default() };
    decide(caller, Resource::Packs, verb, target)
}

/// The decision about an action.
pub(crate) fn decide_action(
    caller: &Principal,
    verb: Verb,
    reference: &str,
    pack_ref: &str,
) -> Result<(), Denied> {
    let target =
        Target { reference: Some(reference), pack_ref: Some(pack_ref), ..Target::default() };
    decide(caller, Resource::Actions, verb, target)
}

/// The decision about an execution: constraints look at its action and that one's pack.
pub(crate) async fn decide_execution(
    state: &ApiState,
    caller: &Principal,
    verb: Verb,
    execution: &Execution,
) -> StoreResult<Result<(), Denied>> {
    let reference = &execution.action_ref;
    let action = action_of(state, caller.scope(), execution).await?;
    let pack_ref = action.as_ref().map(|action| action.pack_ref.as_str());
    let target = Target { reference: Some(reference), pack_ref, ..Target::default() };
    Ok(decide(caller, Resource::Executions, verb, target))
}

/// The action of an execution, unless it is gone: by now its ref may belong to another one, of
/// another pack.
pub(crate) async fn action_of(
    state: &ApiState,
    scope: Scope,
    execution: &Execution,
) -> StoreResult<Option<Action>> {
    let action = state.store.action(scope, &execution.action_ref).await?;
    Ok(action.filter(|action| Some(action.id) == execution.action))
}

/// What all tenants share can be changed by none of them, whatever its grants say.
pub(crate) fn not_shared(tenant: TenantId, resource: Resource, verb: Verb) -> Result<(), Denied> {
    if tenant == TenantId::SHARED { Err(Denied { resource, verb }) } else { Ok(()) }
}

/// Refuses permission sets that the caller could not hold itself, and unknown ones: what
/// gets their name later is not known now.
pub(crate) async fn check_delegation(
    state: &ApiState,
    caller: &Principal,
    refs: &[String],
) -> Result<(), Problem> {
    check_each(state, caller, refs.iter().map(String::as_str).collect(), &[]).await
}

/// The same for what the actions of an upload ask for. The sets that it brings take the
/// place of installed ones.
pub(crate) async fn check_delegation_of_upload(
    state: &ApiState,
    caller: &Principal,
    incoming: &IncomingPack,
) -> Result<(), Problem> {
    check_each(state, caller, incoming.delegated_sets(), incoming.permission_sets()).await
}

async fn check_each(
    state: &ApiState,
    caller: &Principal,
    mut refs: BTreeSet<&str>,
    brought: &[PermissionSet],
) -> Result<(), Problem> {
    refs.remove(STANDARD_ACCESS);
    if refs.is_empty() {
        return Ok(());
    }
    let installed = state.store.permission_sets(caller.scope()).await?;
    for wanted in refs {
        let set = brought.iter().chain(&installed).find(|set| set.reference == wanted);
        let grants = set.map(|set| Grant::read_all(&set.grants)).ok_or_else(|| {
            Problem::bad_request(format!("Permission set '{wanted}' does not exist"))
        })?;
        if !may_delegate(caller, &grants) {
            let text = format!("Insufficient permissions: cannot delegate '{wanted}'");
            return Err(Problem::forbidden(text));
        }
    }
    Ok(())
}
