//! Whose a new key is to be: what a request says about it, made one, and looked up.

use attune_domain::access::Principal;
use attune_domain::id::IdentityId;
use attune_domain::owner::{Owner, OwnerType};

use crate::access::{visible_action, visible_pack};
use crate::models::key::CreateKeyRequest;
use crate::problem::Problem;
use crate::state::ApiState;

/// The owner that a request names: one that is there, and that the caller may see.
pub(super) async fn resolve(
    state: &ApiState,
    caller: &Principal,
    request: &CreateKeyRequest,
) -> Result<Owner, Problem> {
    refuse_other_owners(request)?;
    match request.owner_type {
        OwnerType::System => Ok(Owner::System),
        OwnerType::Identity => identity(state, caller, request).await,
        OwnerType::Pack => {
            let named = Named {
                field: "owner_pack_ref",
                id: request.owner_pack,
                reference: request.owner_pack_ref.as_deref(),
            };
            let reference = named.reference(state, caller, request).await?;
            let pack = visible_pack(state, caller, &reference).await?;
            Ok(Owner::Pack { id: pack.id, reference: pack.reference })
        }
        OwnerType::Action => {
            let named = Named {
                field: "owner_action_ref",
                id: request.owner_action,
                reference: request.owner_action_ref.as_deref(),
            };
            let reference = named.reference(state, caller, request).await?;
            let action = visible_action(state, caller, &reference).await?.action;
            let pack_ref = action.pack_ref;
            Ok(Owner::Action { id: action.id, reference: action.reference, pack_ref })
        }
        OwnerType::Sensor => {
            let named = Named {
                field: "owner_sensor_ref",
                id: request.owner_sensor,
                reference: request.owner_sensor_ref.as_deref(),
            };
            let reference = named.reference(state, caller, request).await?;
            // There are none in this version.
            Err(Problem::not_found(format!("Sensor '{reference}' not found")))
        }
    }
}

/// A field about an owner of another kind than the request's is a mistake that would put a secret
/// into the wrong hands.
fn refuse_other_owners(request: &CreateKeyRequest) -> Result<(), Problem> {
    let given = [
        ("owner_identity", OwnerType::Identity, request.owner_identity.is_some()),
        ("owner_pack", OwnerType::Pack, request.owner_pack.is_some()),
        ("owner_pack_ref", OwnerType::Pack, request.owner_pack_ref.is_some()),
        ("owner_action", OwnerType::Action, request.owner_action.is_some()),
        ("owner_action_ref", OwnerType::Action, request.owner_action_ref.is_some()),
        ("owner_sensor", OwnerType::Sensor, request.owner_sensor.is_some()),
        ("owner_sensor_ref", OwnerType::Sensor, request.owner_sensor_ref.is_some()),
    ];
    let kind = request.owner_type;
    let other = given.into_iter().find(|(_, about, is_given)| *is_given && *about != kind);
    if let Some((field, ..)) = other {
        let problem = format!("does not go with the owner_type '{}'", kind.as_str());
        return Err(Problem::invalid(field, problem));
    }
    if kind == OwnerType::System && request.owner.as_deref().is_some_and(|o| o != "system") {
        return Err(Problem::invalid("owner", "the system has no owner to name"));
    }
    Ok(())
}

/// The caller's own unless another one is named.
async fn identity(
    state: &ApiState,
    caller: &Principal,
    request: &CreateKeyRequest,
) -> Result<Owner, Problem> {
    let text = request.owner.as_deref().map(|text| {
        text.parse::<i64>().map_err(|_| Problem::invalid("owner", "must be an identity's id"))
    });
    let id = agreed("owner_identity", request.owner_identity, text.transpose()?)?;
    let id = id.map_or(caller.identity(), IdentityId);
    if id == caller.identity() {
        return Ok(Owner::Identity(id));
    }
    let identity = state.store.identity(id).await?;
    identity
        .filter(|identity| identity.tenant == caller.scope().tenant())
        .map(|identity| Owner::Identity(identity.id))
        .ok_or_else(|| Problem::not_found(format!("Identity {id} not found")))
}

/// How a request names something with a ref.
struct Named<'a> {
    /// The field with the ref.
    field: &'static str,
    id: Option<i64>,
    reference: Option<&'a str>,
}

impl Named<'_> {
    async fn reference(
        &self,
        state: &ApiState,
        caller: &Principal,
        request: &CreateKeyRequest,
    ) -> Result<String, Problem> {
        let given = agreed(self.field, self.reference, request.owner.as_deref())?;
        let by_id = match self.id {
            Some(id) => {
                let found = state.store.owner_ref(caller.scope(), request.owner_type, id).await?;
                let kind = request.owner_type.as_str();
                Some(
                    found
                        .ok_or_else(|| Problem::not_found(format!("No {kind} has the id {id}")))?,
                )
            }
            None => None,
        };
        let reference = agreed(self.field, given.map(str::to_owned), by_id)?;
        reference.ok_or_else(|| Problem::invalid(self.field, "this field is required"))
    }
}

/// One of two ways to say the same.
fn agreed<T: PartialEq>(
    field: &str,
    one: Option<T>,
    other: Option<T>,
) -> Result<Option<T>, Problem> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            Err(Problem::invalid(field, "names another owner than the other fields do"))
        }
        (one, other) => Ok(one.or(other)),
    }
}
