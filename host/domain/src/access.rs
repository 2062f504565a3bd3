//! Who may do what: principals, grants, and the one decision function.
//!
//! Deny by default. A [`Principal`] is made from a verified credential and from
//! nothing else, and a [`Scope`], which every store call on tenant data takes,
//! comes from a principal or from a row that the server itself loaded. A tenant
//! id that a client sent can therefore never become a scope.

mod constraints;
mod keys;

use serde::{Deserialize, Serialize};

use crate::Json;
use crate::execution::Execution;
use crate::id::{IdentityId, TenantId};
use crate::identity::{Identity, TokenKind};
use crate::key::Key;
use crate::pack::Pack;
use crate::words::words;

pub use constraints::{Constraints, OwnerRelation, Target};
pub use keys::{KeysSeen, keys_seen, standard_access};

/// The tenant a store call is confined to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    tenant: TenantId,
}

impl Scope {
    /// The scope of work done for an execution that the server loaded.
    pub fn of_execution(execution: &Execution) -> Scope {
        Scope { tenant: execution.tenant }
    }

    /// The scope of an identity that the server loaded.
    pub fn of_identity(identity: &Identity) -> Scope {
        Scope { tenant: identity.tenant }
    }

    /// The scope of a tenant row that the server loaded.
    pub fn of_tenant(tenant: &Tenant) -> Scope {
        Scope { tenant: tenant.id }
    }

    /// The scope of a key that the server loaded.
    pub fn of_key(key: &Key) -> Scope {
        Scope { tenant: key.tenant }
    }

    /// The scope that another server of this installation named.
    pub fn of_peer(tenant: TenantId) -> Scope {
        Scope { tenant }
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// One customer of the installation.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
}

/// Who makes a request, as the credential says.
#[derive(Clone, Debug)]
pub struct Principal {
    scope: Scope,
    identity: IdentityId,
    login: String,
    token: TokenKind,
    grants: Vec<Grant>,
}

impl Principal {
    /// Made by authentication, after the credential was verified and `identity` loaded for it.
    pub fn authenticated(identity: &Identity, token: TokenKind, grants: Vec<Grant>) -> Principal {
        Principal {
            scope: Scope { tenant: identity.tenant },
            identity: identity.id,
            login: identity.login.clone(),
            token,
            grants,
        }
    }

    pub fn scope(&self) -> Scope {
        self.scope
    }

    pub fn identity(&self) -> IdentityId {
        self.identity
    }

    pub fn login(&self) -> &str {
        &self.login
    }

    pub fn token(&self) -> TokenKind {
        self.token
    }

    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }
}

words! {
    /// What a grant is about (contract, auth section 4).
    Resource {
        Packs = "packs", Actions = "actions", Queues = "queues", Rules = "rules",
        Triggers = "triggers", Executions = "executions", Events = "events",
        Enforcements = "enforcements", Inquiries = "inquiries", Keys = "keys",
        Artifacts = "artifacts", Runtimes = "runtimes", Workers = "workers",
        Retention = "retention", Identities = "identities", Permissions = "permissions",
        AuditLog = "audit_log",
    }
}

words! {
    /// What a grant allows (contract, auth section 4).
    Verb {
        Read = "read", Create = "create", Install = "install", Configure = "configure",
        Update = "update", Delete = "delete", Execute = "execute", Cancel = "cancel",
        Respond = "respond", Manage = "manage", Decrypt = "decrypt",
    }
}

/// One entry of a permission set, as the decision reads it.
///
/// Permission sets are stored verbatim, whatever they hold; what cannot be read
/// as a grant grants nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    pub resource: Resource,
    pub actions: Vec<Verb>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Constraints>,
}

impl Grant {
    /// Its constraints, if they constrain anything.
    fn narrowing(&self) -> Option<&Constraints> {
        self.constraints.as_ref().filter(|constraints| **constraints != Constraints::default())
    }

    /// Whether it lets its holder do what it is about to this target. What belongs to another
    /// identity takes a grant that was narrowed, and so meant (contract, auth section 5).
    fn covers(&self, holder: IdentityId, target: Target<'_>) -> bool {
        match self.narrowing() {
            None => !target.is_private_to_another(holder),
            Some(constraints) => constraints.hold(holder, target),
        }
    }

    /// Reads the grants of a permission set and leaves out what is not one.
    pub fn read_all(stored: &Json) -> Vec<Grant> {
        let entries = stored.as_array().map(Vec::as_slice).unwrap_or_default();
        entries.iter().filter_map(|entry| Grant::deserialize(entry).ok()).collect()
    }
}

/// A refusal; its text is the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Insufficient permissions: {}:{}", resource.as_str(), verb.as_str())]
pub struct Denied {
    pub resource: Resource,
    pub verb: Verb,
}

/// The permission decision. Every door asks here and nowhere else.
pub fn decide(
    principal: &Principal,
    resource: Resource,
    verb: Verb,
    target: Target<'_>,
) -> Result<(), Denied> {
    let allowed =
        matching(principal, resource, verb).any(|grant| grant.covers(principal.identity, target));
    if allowed { Ok(()) } else { Err(Denied { resource, verb }) }
}

/// The decision before it is known what a request is about: refuses those whom no target
/// could satisfy. [`decide`] has to follow.
pub fn decide_early(principal: &Principal, resource: Resource, verb: Verb) -> Result<(), Denied> {
    match matching(principal, resource, verb).next() {
        Some(_) => Ok(()),
        None => Err(Denied { resource, verb }),
    }
}

/// Whether the caller may see a pack at all (contract, auth section 5): a shared or
/// standard pack, one's own, or one that a *constrained* grant names. What may not
/// be seen is answered with 404.
pub fn may_see_pack(principal: &Principal, pack: &Pack) -> bool {
    let target = pack_target(&pack.reference);
    pack.is_standard
        || pack.created_by == Some(principal.identity)
        || matching(principal, Resource::Packs, Verb::Read)
            // An empty constraint constrains nothing, and so names no pack.
            .filter_map(Grant::narrowing)
            .any(|constraints| constraints.hold(principal.identity, target))
}

fn pack_target(reference: &str) -> Target<'_> {
    Target { reference: Some(reference), pack_ref: Some(reference), ..Target::default() }
}

/// Refs of packs that constrained grants let the caller see: what a list shows besides
/// the standard packs and the caller's own.
pub fn pack_refs_seen_by_grant(principal: &Principal) -> Vec<String> {
    let constraints = matching(principal, Resource::Packs, Verb::Read)
        .filter_map(|grant| grant.constraints.as_ref());
    let mut refs: Vec<String> = constraints
        .flat_map(|constraints| {
            let named = constraints.pack_refs.iter().chain(&constraints.refs).flatten();
            named.filter(|one| constraints.hold(principal.identity, pack_target(one)))
        })
        .cloned()
        .collect();
    refs.sort();
    refs.dedup();
    refs
}

/// Whether the caller may hand `delegated` on: only what it holds itself, at least as widely.
pub fn may_delegate(principal: &Principal, delegated: &[Grant]) -> bool {
    let held = |grant: &Grant, verb: Verb| {
        matching(principal, grant.resource, verb).any(|own| {
            own.narrowing() == grant.narrowing()
                || own.narrowing().is_none() && !reaches_further(grant)
        })
    };
    delegated.iter().all(|grant| grant.actions.iter().all(|verb| held(grant, *verb)))
}

fn matching(principal: &Principal, resource: Resource, verb: Verb) -> impl Iterator<Item = &Grant> {
    let grants = principal.grants.iter();
    grants.filter(move |grant| grant.resource == resource && grant.actions.contains(&verb))
}

/// Whether a grant that was narrowed reaches what one without constraints does not: the keys and
/// the packs of others.
fn reaches_further(grant: &Grant) -> bool {
    grant.narrowing().is_some_and(|constraints| match grant.resource {
        Resource::Keys => !constraints.keep_out_of_others(),
        Resource::Packs => true,
        _ => false,
    })
}

/// A named list of grants, as it is stored.
#[derive(Clone, Debug)]
pub struct PermissionSet {
    pub reference: String,
    pub label: Option<String>,
    pub description: Option<String>,
    /// Stored verbatim (contract, packs section 4).
    pub grants: Json,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::{ActionId, PackId};
    use crate::owner::Owner;

    fn principal(grants: &Json) -> Principal {
        Principal {
            scope: Scope { tenant: TenantId(1) },
            identity: IdentityId(7),
            login: "ada".to_owned(),
            token: TokenKind::Access,
            grants: Grant::read_all(grants),
        }
    }

    #[test]
    fn an_early_decision_refuses_only_those_who_hold_nothing() {
        let held = principal(&json!([
            {"resource": "packs", "actions": ["install"], "constraints": {"refs": ["a"]}},
        ]));
        assert!(decide_early(&held, Resource::Packs, Verb::Install).is_ok());
        assert!(decide_early(&held, Resource::Packs, Verb::Delete).is_err());
        assert!(decide_early(&held, Resource::Actions, Verb::Install).is_err());
    }

    #[test]
    fn lists_show_the_packs_that_constraints_name() {
        let grants = json!([
            {"resource": "packs", "actions": ["read"]},
            {"resource": "packs", "actions": ["read"], "constraints": {}},
            {"resource": "packs", "actions": ["read"], "constraints": {"pack_refs": ["b", "a"]}},
            {"resource": "packs", "actions": ["read"], "constraints": {"refs": ["a", "c"]}},
            {"resource": "packs", "actions": ["read"],
                "constraints": {"pack_refs": ["d"], "refs": ["e"]}},
            {"resource": "packs", "actions": ["delete"], "constraints": {"refs": ["f"]}},
        ]);
        assert_eq!(pack_refs_seen_by_grant(&principal(&grants)), ["a", "b", "c"]);
    }

    #[test]
    fn only_what_one_holds_can_be_delegated() {
        let held = principal(&json!([
            {"resource": "keys", "actions": ["read", "update"]},
            {"resource": "packs", "actions": ["read"], "constraints": {"refs": ["a"]}},
        ]));
        let check = |delegated: Json, allowed: bool| {
            let grants = Grant::read_all(&json!([delegated]));
            assert_eq!(may_delegate(&held, &grants), allowed, "{delegated}");
        };
        check(json!({"resource": "keys", "actions": ["read"]}), true);
        let keys = |constraints: Json| json!({"resource": "keys", "actions": ["read"], "constraints": constraints});
        check(keys(json!({"owner_types": ["system", "pack"], "refs": ["k"]})), true);
        check(keys(json!({"owner": "none"})), true);
        check(keys(json!({})), true);
        // These would show keys of others, which the holder does not see.
        check(keys(json!({"refs": ["k"]})), false);
        check(keys(json!({"owner_types": ["identity"]})), false);
        check(json!({"resource": "keys", "actions": ["read", "decrypt"]}), false);
        check(json!({"resource": "packs", "actions": ["read"]}), false);
        let same =
            json!({"resource": "packs", "actions": ["read"], "constraints": {"refs": ["a"]}});
        check(same, true);
        let other =
            json!({"resource": "packs", "actions": ["read"], "constraints": {"refs": ["b"]}});
        check(other, false);
    }
    fn key(reference: &str, owner: Owner) -> (String, Owner) {
        (reference.to_owned(), owner)
    }

    /// One key of each kind of owner; the principal of these tests is identity 7.
    fn keys() -> [(String, Owner); 5] {
        let pack = Owner::Pack { id: PackId(3), reference: "demo".to_owned() };
        let action = Owner::Action {
            id: ActionId(4),
            reference: "demo.act".to_owned(),
            pack_ref: "demo".to_owned(),
        };
        [
            key("system", Owner::System),
            key("mine", Owner::Identity(IdentityId(7))),
            key("theirs", Owner::Identity(IdentityId(8))),
            key("pack", pack),
            key("action", action),
        ]
    }

    #[test]
    fn keys_are_decided_by_owner() {
        let check = |constraints: Json, expected: &[&str]| {
            let mut grant = json!({"resource": "keys", "actions": ["decrypt"]});
            if !constraints.is_null() {
                grant["constraints"] = constraints.clone();
            }
            let holder = principal(&json!([grant]));
            let keys = keys();
            let allowed = keys.iter().filter(|(reference, owner)| {
                let target = Target {
                    reference: Some(reference),
                    pack_ref: owner.pack_ref(),
                    owner: Some(owner),
                    encrypted: Some(reference == "system"),
                };
                decide(&holder, Resource::Keys, Verb::Decrypt, target).is_ok()
            });
            let allowed: Vec<&str> = allowed.map(|(reference, _)| reference.as_str()).collect();
            assert_eq!(allowed, expected, "{constraints}");
        };
        check(json!(null), &["system", "mine", "pack", "action"]);
        check(json!({}), &["system", "mine", "pack", "action"]);
        check(json!({"owner": "self"}), &["mine"]);
        check(json!({"owner": "none"}), &["system", "pack", "action"]);
        check(json!({"owner": "any"}), &["system", "mine", "theirs", "pack", "action"]);
        check(json!({"owner_types": ["identity"]}), &["mine", "theirs"]);
        check(json!({"owner_types": ["system", "action"]}), &["system", "action"]);
        check(json!({"owner_types": []}), &[]);
        check(json!({"owner_refs": ["demo", "8"]}), &["theirs", "pack"]);
        check(json!({"owner_types": ["pack"], "owner_refs": ["demo.act"]}), &[]);
        check(json!({"pack_refs": ["demo"]}), &["pack", "action"]);
        check(json!({"refs": ["theirs", "system"]}), &["system", "theirs"]);
        check(json!({"encrypted": true}), &["system"]);
        check(json!({"encrypted": false, "owner": "none"}), &["pack", "action"]);
        check(json!({"owner_types": ["nobody"]}), &[]);
        check(json!({"phase_of_the_moon": "full"}), &[]);
    }

    #[test]
    fn constraints_of_owners_match_nothing_without_an_owner() {
        for constraints in [json!({"owner": "any"}), json!({"owner_types": ["system"]})] {
            let grant = json!({"resource": "packs", "actions": ["read"],
                "constraints": constraints});
            let holder = principal(&json!([grant]));
            assert!(decide(&holder, Resource::Packs, Verb::Read, pack_target("demo")).is_err());
        }
    }
}
