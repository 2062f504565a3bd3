//! Sign-in and the caller's own identity.

use std::collections::{BTreeMap, BTreeSet};

use attune_domain::access::{Grant, Verb};
use attune_domain::identity::{Identity, PASSWORD_LENGTH};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::input::patch::present;
use crate::input::{Checks, Patch, Validate};
use crate::problem::Problem;

/// Longest password that is compared: far longer than any that can be set.
const LONGEST_PASSWORD: usize = 1024;

#[derive(Deserialize, ToSchema)]
pub(crate) struct LoginRequest {
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) login: String,
    #[schema(min_length = 1, max_length = 1024)]
    pub(crate) password: String,
}

impl Validate for LoginRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default()
            .text("login", &self.login, 1, 255)
            .text("password", &self.password, 1, LONGEST_PASSWORD)
            .done()
    }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenLoginRequest {
    #[schema(min_length = 1)]
    token: String,
}

impl Validate for TokenLoginRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default().text("token", &self.token, 1, usize::MAX).done()
    }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct RegisterRequest {
    #[schema(min_length = 3, max_length = 255)]
    pub(crate) login: String,
    #[schema(min_length = 8, max_length = 128)]
    pub(crate) password: String,
    #[schema(max_length = 255)]
    pub(crate) display_name: Option<String>,
}

impl Validate for RegisterRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default()
            .text("login", &self.login, 3, 255)
            .text("password", &self.password, *PASSWORD_LENGTH.start(), *PASSWORD_LENGTH.end())
            .maybe("display_name", self.display_name.as_ref(), 0, 255)
            .done()
    }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct RefreshTokenRequest {
    #[schema(min_length = 1)]
    pub(crate) refresh_token: String,
}

impl Validate for RefreshTokenRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default().text("refresh_token", &self.refresh_token, 1, usize::MAX).done()
    }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangePasswordRequest {
    #[schema(min_length = 1, max_length = 1024)]
    pub(crate) current_password: String,
    #[schema(min_length = 8, max_length = 128)]
    pub(crate) new_password: String,
}

impl Validate for ChangePasswordRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default()
            .text("current_password", &self.current_password, 1, LONGEST_PASSWORD)
            .text(
                "new_password",
                &self.new_password,
                *PASSWORD_LENGTH.start(),
                *PASSWORD_LENGTH.end(),
            )
            .done()
    }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateCurrentUserRequest {
    /// Null takes the name away; left out, it stays.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 255)]
    pub(crate) display_name: Option<Patch<String>>,
}

impl Validate for UpdateCurrentUserRequest {
    fn validate(&self) -> Result<(), Problem> {
        match &self.display_name {
            Some(Patch::Set { value }) => {
                Checks::default().text("display_name", value, 0, 255).done()
            }
            _ => Ok(()),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) token_type: &'static str,
    /// Seconds until the access token expires.
    pub(crate) expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<UserInfo>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UserInfo {
    id: i64,
    login: String,
    display_name: Option<String>,
}

impl From<&Identity> for UserInfo {
    fn from(identity: &Identity) -> UserInfo {
        UserInfo {
            id: identity.id.0,
            login: identity.login.clone(),
            display_name: identity.display_name.clone(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CurrentUserResponse {
    id: i64,
    login: String,
    display_name: Option<String>,
    auth_provider: &'static str,
    is_local: bool,
    can_change_password: bool,
    effective_permissions: Vec<EffectivePermissionResponse>,
    assigned_permission_set_refs: Vec<String>,
}

impl CurrentUserResponse {
    pub(crate) fn new(identity: Identity, grants: &[Grant], sets: Vec<String>) -> Self {
        CurrentUserResponse {
            id: identity.id.0,
            login: identity.login,
            display_name: identity.display_name,
            auth_provider: "local",
            is_local: true,
            can_change_password: identity.password_hash.is_some(),
            effective_permissions: effective_permissions(grants),
            assigned_permission_set_refs: sets,
        }
    }
}

#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct EffectivePermissionResponse {
    resource: &'static str,
    actions: Vec<&'static str>,
}

/// One entry for each resource, with what any grant allows on it.
fn effective_permissions(grants: &[Grant]) -> Vec<EffectivePermissionResponse> {
    let mut by_resource: BTreeMap<_, BTreeSet<Verb>> = BTreeMap::new();
    for grant in grants {
        by_resource.entry(grant.resource).or_default().extend(&grant.actions);
    }
    let entry = |(resource, verbs): (attune_domain::access::Resource, BTreeSet<Verb>)| {
        let actions = verbs.into_iter().map(Verb::as_str).collect();
        EffectivePermissionResponse { resource: resource.as_str(), actions }
    };
    by_resource.into_iter().map(entry).collect()
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuthSettingsResponse {
    authentication_enabled: bool,
    local_password_enabled: bool,
    local_password_visible_by_default: bool,
    oidc_enabled: bool,
    oidc_visible_by_default: bool,
    oidc_provider_name: Option<String>,
    oidc_provider_label: Option<String>,
    oidc_provider_icon_url: Option<String>,
    ldap_enabled: bool,
    ldap_visible_by_default: bool,
    ldap_provider_name: Option<String>,
    ldap_provider_label: Option<String>,
    ldap_provider_icon_url: Option<String>,
    self_registration_enabled: bool,
}

impl AuthSettingsResponse {
    /// Passwords only: neither OIDC nor LDAP can be configured.
    pub(crate) fn passwords_only(self_registration_enabled: bool) -> AuthSettingsResponse {
        AuthSettingsResponse {
            authentication_enabled: true,
            local_password_enabled: true,
            local_password_visible_by_default: true,
            oidc_enabled: false,
            oidc_visible_by_default: false,
            oidc_provider_name: None,
            oidc_provider_label: None,
            oidc_provider_icon_url: None,
            ldap_enabled: false,
            ldap_visible_by_default: false,
            ldap_provider_name: None,
            ldap_provider_label: None,
            ldap_provider_icon_url: None,
            self_registration_enabled,
        }
    }
}

#[cfg(test)]
mod tests {
    use attune_domain::access::Resource;
    use serde_json::{Value, json, to_value};

    use super::*;

    #[test]
    fn permissions_are_the_union_of_the_grants() {
        let grant = |actions: &[Verb]| Grant {
            resource: Resource::Packs,
            actions: actions.to_vec(),
            constraints: None,
        };
        let shown =
            effective_permissions(&[grant(&[Verb::Delete, Verb::Read]), grant(&[Verb::Read])]);
        assert_eq!(
            to_value(shown).unwrap(),
            json!([{"resource": "packs", "actions": ["read", "delete"]}])
        );
    }

    #[test]
    fn a_password_without_end_is_not_hashed() {
        let login = |length| LoginRequest { login: "a".into(), password: "p".repeat(length) };
        assert!(login(LONGEST_PASSWORD).validate().is_ok());
        assert!(login(LONGEST_PASSWORD + 1).validate().is_err());
    }

    #[test]
    fn without_ldap_its_settings_are_false_and_null() {
        let shown = to_value(AuthSettingsResponse::passwords_only(true)).unwrap();
        assert_eq!(shown["ldap_enabled"], json!(false));
        assert_eq!(shown["ldap_visible_by_default"], json!(false));
        for key in ["ldap_provider_name", "ldap_provider_label", "ldap_provider_icon_url"] {
            assert_eq!(shown.get(key), Some(&Value::Null), "{key}");
        }
    }

    #[test]
    fn a_name_that_is_null_differs_from_one_left_out() {
        let read = |body| serde_json::from_value::<UpdateCurrentUserRequest>(body).unwrap();
        assert_eq!(read(json!({})).display_name, None);
        assert_eq!(read(json!({"display_name": null})).display_name, Some(Patch::Clear));
        assert_eq!(
            read(json!({"display_name": "A"})).display_name,
            Some(Patch::Set { value: "A".to_owned() })
        );
    }
}
