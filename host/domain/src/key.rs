//! Keys: values and secrets of a tenant, by ref. What they hold is sealed wherever it rests.

pub mod arithmetic;

use crate::access::{KeysSeen, Target};
use crate::clock::Timestamp;
use crate::id::{KeyId, TenantId};
use crate::owner::{Owner, OwnerType};
use crate::vault::Sealed;

/// Bytes that the JSON text of a value may have.
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// Keys that one owner may have.
pub const MAX_KEYS_OF_OWNER: u32 = 10_000;

/// A key without its value.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: KeyId,
    pub tenant: TenantId,
    pub reference: String,
    /// The name by which actions know it.
    pub name: String,
    pub owner: Owner,
    /// Whether it is a secret in its owner's eyes. Everything is sealed, whatever this says.
    pub encrypted: bool,
    /// Counts the changes, from 1.
    pub version: i64,
    pub expires_at: Option<Timestamp>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Key {
    /// What grants look at.
    pub fn target(&self) -> Target<'_> {
        target(&self.reference, &self.owner, self.encrypted)
    }
}

/// A key as it is stored.
#[derive(Clone, Debug)]
pub struct SealedKey {
    pub key: Key,
    pub value: Sealed,
}

/// What is needed to create a [`Key`].
#[derive(Clone, Debug)]
pub struct NewKey {
    pub reference: String,
    pub name: String,
    pub owner: Owner,
    pub encrypted: bool,
    pub expires_at: Option<Timestamp>,
    pub value: Sealed,
}

/// What grants look at, of a key that is or is to be.
pub fn target<'a>(reference: &'a str, owner: &'a Owner, encrypted: bool) -> Target<'a> {
    Target {
        reference: Some(reference),
        pack_ref: owner.pack_ref(),
        owner: Some(owner),
        encrypted: Some(encrypted),
    }
}

/// The parts of a key that may change; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    pub name: Option<String>,
    pub encrypted: Option<bool>,
    pub expires_at: Option<Option<Timestamp>>,
    pub value: Option<Sealed>,
}

/// What became of a creation.
#[derive(Clone, Debug)]
pub enum KeyCreated {
    New(Key),
    /// The owner has [`MAX_KEYS_OF_OWNER`] already.
    TooMany,
}

/// Which keys a list is to show.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// A key is shown when one of these shows it.
    pub seen: Vec<KeysSeen>,
    pub owner_type: Option<OwnerType>,
    /// The owner as one text, see [`Owner::text`].
    pub owner: Option<String>,
}
