//! Keys. What holds a value shows none of it to a log: it is no `Debug`, or hides it.

use std::fmt;

use attune_domain::Json;
use attune_domain::clock::{Timestamp, to_micros};
use attune_domain::key::Key;
use attune_domain::owner::{Owner, OwnerType};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::input::patch::present;
use crate::input::{Checks, Patch, Validate};
use crate::problem::Problem;

/// The longest `ttl_seconds`: a hundred years.
const MAX_TTL: i64 = 100 * 366 * 24 * 3600;

/// A value of a request, which may be a secret.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(pub(crate) Json);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct KeyResponse {
    id: i64,
    #[serde(rename = "ref")]
    reference: String,
    #[schema(value_type = String)]
    owner_type: OwnerType,
    owner: Option<String>,
    owner_identity: Option<i64>,
    owner_pack: Option<i64>,
    owner_pack_ref: Option<String>,
    owner_action: Option<i64>,
    owner_action_ref: Option<String>,
    owner_sensor: Option<i64>,
    owner_sensor_ref: Option<String>,
    name: String,
    encrypted: bool,
    /// Null for whoever may not decrypt it.
    value: Value,
    /// Counts the changes, for `expected_version`.
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl KeyResponse {
    /// `value` is what the caller may see of it.
    pub(crate) fn new(key: Key, value: Json) -> KeyResponse {
        let (mut pack, mut action) = (None, None);
        match &key.owner {
            Owner::Pack { id, reference } => pack = Some((id.0, reference.clone())),
            Owner::Action { id, reference, .. } => action = Some((id.0, reference.clone())),
            Owner::System | Owner::Identity(_) => {}
        }
        let (owner_pack, owner_pack_ref) = pack.unzip();
        let (owner_action, owner_action_ref) = action.unzip();
        KeyResponse {
            id: key.id.0,
            reference: key.reference,
            owner_type: key.owner.kind(),
            owner: key.owner.text(),
            owner_identity: key.owner.identity().map(|identity| identity.0),
            owner_pack,
            owner_pack_ref,
            owner_action,
            owner_action_ref,
            owner_sensor: None,
            owner_sensor_ref: None,
            name: key.name,
            encrypted: key.encrypted,
            value,
            version: key.version,
            expires_at: key.expires_at,
            created: key.created,
            updated: key.updated,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct KeySummary {
    id: i64,
    #[serde(rename = "ref")]
    reference: String,
    #[schema(value_type = String)]
    owner_type: OwnerType,
    owner: Option<String>,
    name: String,
    encrypted: bool,
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    created: DateTime<Utc>,
}

impl From<Key> for KeySummary {
    fn from(key: Key) -> KeySummary {
        KeySummary {
            id: key.id.0,
            reference: key.reference,
            owner_type: key.owner.kind(),
            owner: key.owner.text(),
            name: key.name,
            encrypted: key.encrypted,
            version: key.version,
            expires_at: key.expires_at,
            created: key.created,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CreateKeyRequest {
    /// Lower-case, and otherwise free.
    #[schema(min_length = 1, max_length = 255)]
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    #[schema(value_type = String)]
    pub(crate) owner_type: OwnerType,
    /// The owner's ref, or an identity's id; the fields below say the same.
    #[schema(max_length = 255)]
    pub(crate) owner: Option<String>,
    pub(crate) owner_identity: Option<i64>,
    pub(crate) owner_pack: Option<i64>,
    #[schema(max_length = 255)]
    pub(crate) owner_pack_ref: Option<String>,
    pub(crate) owner_action: Option<i64>,
    #[schema(max_length = 255)]
    pub(crate) owner_action_ref: Option<String>,
    pub(crate) owner_sensor: Option<i64>,
    #[schema(max_length = 255)]
    pub(crate) owner_sensor_ref: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) name: String,
    #[schema(value_type = Value)]
    pub(crate) value: Hidden,
    #[serde(default)]
    pub(crate) encrypted: bool,
    /// Seconds from now on, instead of `expires_at`.
    #[schema(minimum = 1)]
    ttl_seconds: Option<i64>,
    expires_at: Option<DateTime<Utc>>,
}

impl Validate for CreateKeyRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default()
            .text("ref", &self.reference, 1, 255)
            .lower_case("ref", &self.reference)
            .maybe("owner", self.owner.as_ref(), 0, 255)
            .maybe("owner_pack_ref", self.owner_pack_ref.as_ref(), 0, 255)
            .maybe("owner_action_ref", self.owner_action_ref.as_ref(), 0, 255)
            .maybe("owner_sensor_ref", self.owner_sensor_ref.as_ref(), 0, 255)
            .text("name", &self.name, 1, 255)
            .done()
    }
}

impl CreateKeyRequest {
    /// When the key is to expire.
    pub(crate) fn expiry(&self, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
        expiry(self.ttl_seconds, self.expires_at, now)
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UpdateKeyRequest {
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) name: Option<String>,
    /// Null leaves it as it is.
    #[schema(value_type = Option<Value>)]
    pub(crate) value: Option<Hidden>,
    pub(crate) encrypted: Option<bool>,
    /// Seconds from now on, instead of `expires_at`.
    #[schema(minimum = 1)]
    ttl_seconds: Option<i64>,
    /// Null takes it away; left out, it stays.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<Patch<DateTime<Utc>>>,
    /// Change it only if it has this version, else 409.
    pub(crate) expected_version: Option<i64>,
    /// Change it only if it holds this value, else 409. Needs `keys:decrypt`.
    #[schema(value_type = Option<Value>)]
    pub(crate) expected_value: Option<Hidden>,
}

impl Validate for UpdateKeyRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default().maybe("name", self.name.as_ref(), 1, 255).done()
    }
}

impl UpdateKeyRequest {
    /// When the key is to expire, if that is to change.
    pub(crate) fn expiry(&self, now: Timestamp) -> Result<Option<Patch<Timestamp>>, Problem> {
        let at = match &self.expires_at {
            Some(Patch::Clear) if self.ttl_seconds.is_some() => return Err(both()),
            Some(Patch::Clear) => return Ok(Some(Patch::Clear)),
            Some(Patch::Set { value }) => Some(*value),
            None => None,
        };
        Ok(expiry(self.ttl_seconds, at, now)?.map(|value| Patch::Set { value }))
    }

    /// Names of what the request changes.
    pub(crate) fn changed(&self) -> Vec<&'static str> {
        let given = [
            ("name", self.name.is_some()),
            ("value", self.value.is_some()),
            ("encrypted", self.encrypted.is_some()),
            ("expires_at", self.ttl_seconds.is_some() || self.expires_at.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct IncrementKeyRequest {
    /// What is added; may be negative.
    #[serde(default = "one")]
    #[schema(default = 1)]
    pub(crate) by: i64,
}

impl Validate for IncrementKeyRequest {}

fn one() -> i64 {
    1
}

fn expiry(
    ttl_seconds: Option<i64>,
    expires_at: Option<DateTime<Utc>>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Problem> {
    match (ttl_seconds, expires_at) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(both()),
        (Some(seconds), None) if !(1..=MAX_TTL).contains(&seconds) => {
            Err(Problem::invalid("ttl_seconds", format!("must be 1 to {MAX_TTL}")))
        }
        (Some(seconds), None) => Ok(Some(now + TimeDelta::seconds(seconds))),
        (None, Some(at)) if at <= now => {
            Err(Problem::invalid("expires_at", "must be in the future"))
        }
        (None, Some(at)) => Ok(Some(to_micros(at))),
    }
}

fn both() -> Problem {
    Problem::invalid("ttl_seconds", "give ttl_seconds or expires_at, not both")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_hide_their_values() {
        let text = r#"{"ref": "k", "name": "n", "owner_type": "system", "value": "hunter2"}"#;
        let create: CreateKeyRequest = serde_json::from_str(text).unwrap();
        assert!(!format!("{create:?}").contains("hunter2"));
        let text = r#"{"value": "hunter2", "expected_value": ["hunter2"]}"#;
        let update: UpdateKeyRequest = serde_json::from_str(text).unwrap();
        assert!(!format!("{update:?}").contains("hunter2"));
        assert_eq!(update.changed(), ["value"]);
    }

    #[test]
    fn an_expiry_is_given_in_one_way() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let later = now + TimeDelta::seconds(60);
        let check = |body: &str| {
            let request: UpdateKeyRequest = serde_json::from_str(body).unwrap();
            request.expiry(now).ok()
        };
        let set = Some(Some(Patch::Set { value: later }));
        assert_eq!(check("{}"), Some(None));
        assert_eq!(check(r#"{"ttl_seconds": 60}"#), set);
        let at = format!(r#"{{"expires_at": "{}"}}"#, later.to_rfc3339());
        assert_eq!(check(&at), set);
        assert_eq!(check(r#"{"expires_at": null}"#), Some(Some(Patch::Clear)));
        for wrong in [
            r#"{"ttl_seconds": 0}"#,
            r#"{"ttl_seconds": 9223372036854775807}"#,
            r#"{"ttl_seconds": 1, "expires_at": null}"#,
            r#"{"expires_at": "2020-01-01T00:00:00Z"}"#,
        ] {
            assert_eq!(check(wrong), None, "{wrong}");
        }
    }
}
