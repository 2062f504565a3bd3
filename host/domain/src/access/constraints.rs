//! What narrows a grant, and what it is held against.

use serde::{Deserialize, Serialize};

use crate::id::IdentityId;
use crate::owner::{Owner, OwnerType};
use crate::words::words;

words! {
    /// Whose things a grant is about: what its holder owns, anybody's, or what no identity owns.
    OwnerRelation { Own = "self", Any = "any", Nobodys = "none" }
}

/// Narrows a grant. All that are present must match; a list matches on any of
/// its values. A constraint this version does not know makes the whole grant
/// unreadable, so that it can never widen one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack_refs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerRelation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_types: Option<Vec<OwnerType>>,
    /// See [`Owner::text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_refs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
}

/// What a request is about, as far as constraints look at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The ref of the thing itself.
    pub reference: Option<&'a str>,
    /// The ref of the pack it belongs to.
    pub pack_ref: Option<&'a str>,
    /// Whose it is, of things that have owners.
    pub owner: Option<&'a Owner>,
    /// Whether it is marked as a secret, of things that can be.
    pub encrypted: Option<bool>,
}

impl Target<'_> {
    /// Whether it is a person's, and not this one's.
    pub(super) fn is_private_to_another(&self, identity: IdentityId) -> bool {
        self.owner.and_then(Owner::identity).is_some_and(|owner| owner != identity)
    }
}

impl Constraints {
    /// Whether a target is within them, for a holder of the grant. What a target does not have
    /// cannot match.
    pub(super) fn hold(&self, holder: IdentityId, target: Target<'_>) -> bool {
        let owner = target.owner;
        let owner_text = owner.and_then(Owner::text);
        is_among(self.pack_refs.as_deref(), target.pack_ref)
            && is_among(self.refs.as_deref(), target.reference)
            && is_among(self.owner_refs.as_deref(), owner_text.as_deref())
            && self.owner.is_none_or(|asked| owner.is_some_and(|o| asked.holds(o, holder)))
            && self
                .owner_types
                .as_deref()
                .is_none_or(|kinds| owner.is_some_and(|owner| kinds.contains(&owner.kind())))
            && self.encrypted.is_none_or(|asked| target.encrypted == Some(asked))
    }

    /// Whether nothing is within them that an identity other than the holder owns.
    pub(super) fn keep_out_of_others(&self) -> bool {
        matches!(self.owner, Some(OwnerRelation::Own | OwnerRelation::Nobodys))
            || self
                .owner_types
                .as_deref()
                .is_some_and(|kinds| !kinds.contains(&OwnerType::Identity))
    }
}

impl OwnerRelation {
    fn holds(self, owner: &Owner, holder: IdentityId) -> bool {
        match self {
            OwnerRelation::Own => owner.identity() == Some(holder),
            OwnerRelation::Any => true,
            OwnerRelation::Nobodys => owner.identity().is_none(),
        }
    }
}

fn is_among(allowed: Option<&[String]>, actual: Option<&str>) -> bool {
    match (allowed, actual) {
        (None, _) => true,
        (Some(allowed), Some(actual)) => allowed.iter().any(|one| one == actual),
        (Some(_), None) => false,
    }
}
