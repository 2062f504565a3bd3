//! Typed ids: 64-bit integers on the wire and in the store.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// The tenant a row belongs to.
    TenantId,
    /// A person or program that signs in.
    IdentityId,
    /// An installed pack.
    PackId,
    /// An action.
    ActionId,
    /// One run of an action.
    ExecutionId,
    /// A server process that runs executions.
    WorkerId,
    /// The time for which a worker may hold executions.
    LeaseId,
    /// A named list of grants.
    PermissionSetId,
    /// Something that was done or refused.
    AuditEventId,
    /// A stored value or secret.
    KeyId,
    /// What a tenant's stored values are sealed with.
    DataKeyId,
}

impl TenantId {
    /// Owns what every tenant may see and nobody may change: the `core` pack.
    pub const SHARED: TenantId = TenantId(0);
}
