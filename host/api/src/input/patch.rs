//! Patch-style fields: `{"op":"set","value":…}` or `{"op":"clear"}`.

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// A change of a value that may also be taken away.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(crate) enum Patch<T> {
    Set { value: T },
    Clear,
}

impl<T> Patch<T> {
    /// The new value; none clears.
    pub(crate) fn into_value(self) -> Option<T> {
        match self {
            Patch::Set { value } => Some(value),
            Patch::Clear => None,
        }
    }
}

/// For `#[serde(default, deserialize_with)]`: a plain value sets and null clears; only what is
/// absent is left alone.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<Patch<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let value = Option::deserialize(deserializer)?;
    Ok(Some(value.map_or(Patch::Clear, |value| Patch::Set { value })))
}
