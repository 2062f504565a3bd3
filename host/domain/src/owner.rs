//! Whose something is: the whole tenant's, a person's, or that of a part of a pack.

use crate::id::{ActionId, IdentityId, PackId};
use crate::words::words;

words! {
    /// Kinds of owner (contract, models section 1).
    OwnerType {
        System = "system", Identity = "identity", Pack = "pack", Action = "action",
        Sensor = "sensor",
    }
}

/// An owner that was there when it was looked up. Sensors have no rows yet, and own nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    System,
    Identity(IdentityId),
    Pack { id: PackId, reference: String },
    Action { id: ActionId, reference: String, pack_ref: String },
}

impl Owner {
    pub fn kind(&self) -> OwnerType {
        match self {
            Owner::System => OwnerType::System,
            Owner::Identity(_) => OwnerType::Identity,
            Owner::Pack { .. } => OwnerType::Pack,
            Owner::Action { .. } => OwnerType::Action,
        }
    }

    /// The owner as one text: the ref, or the id of an identity; none of the system.
    pub fn text(&self) -> Option<String> {
        match self {
            Owner::System => None,
            Owner::Identity(id) => Some(id.to_string()),
            Owner::Pack { reference, .. } | Owner::Action { reference, .. } => {
                Some(reference.clone())
            }
        }
    }

    pub fn identity(&self) -> Option<IdentityId> {
        match self {
            Owner::Identity(id) => Some(*id),
            _ => None,
        }
    }

    /// The pack that owns it, or whose action does.
    pub fn pack_ref(&self) -> Option<&str> {
        match self {
            Owner::Pack { reference, .. } => Some(reference),
            Owner::Action { pack_ref, .. } => Some(pack_ref),
            Owner::System | Owner::Identity(_) => None,
        }
    }
}
