//! Which keys a list shows its caller: as conditions that a store can look for, for there are too
//! many keys to decide on each. It is the same decision as [`super::decide`] makes.

use super::{Constraints, Grant, Principal, Resource, Verb, matching};
use crate::action::Action;
use crate::id::IdentityId;
use crate::owner::OwnerType;

/// The keys that one grant shows.
#[derive(Clone, Debug)]
pub struct KeysSeen {
    pub reader: IdentityId,
    /// None: all but the keys of other identities.
    pub within: Option<Constraints>,
}

/// What each of the caller's grants shows; a key that none shows is not seen.
pub fn keys_seen(principal: &Principal) -> Vec<KeysSeen> {
    matching(principal, Resource::Keys, Verb::Read)
        .map(|grant| KeysSeen { reader: principal.identity(), within: grant.narrowing().cloned() })
        .collect()
}

/// What the reserved permission set `standard` gives an execution: the keys of its action and of
/// that one's pack, and no others (contract, auth section 5).
pub fn standard_access(action: &Action) -> Vec<Grant> {
    let owners = [(OwnerType::Action, &action.reference), (OwnerType::Pack, &action.pack_ref)];
    let grant = |(kind, reference): (OwnerType, &String)| Grant {
        resource: Resource::Keys,
        actions: vec![Verb::Read, Verb::Create, Verb::Update, Verb::Delete, Verb::Decrypt],
        constraints: Some(Constraints {
            owner_types: Some(vec![kind]),
            owner_refs: Some(vec![reference.clone()]),
            ..Constraints::default()
        }),
    };
    owners.map(grant).into()
}
