//! Who signs in: identities and the tokens issued to them.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::Json;
use crate::clock::Timestamp;
use crate::id::{IdentityId, TenantId};

/// A person or program that signs in. Belongs to one tenant for good.
#[derive(Clone, Debug)]
pub struct Identity {
    pub id: IdentityId,
    pub tenant: TenantId,
    /// Unique in the whole installation: the tenant follows from it.
    pub login: String,
    pub display_name: Option<String>,
    /// Argon2 hash in PHC form; none for identities without a local password.
    pub password_hash: Option<String>,
    /// A frozen identity is refused everywhere.
    pub frozen: bool,
    pub attributes: Json,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// Characters of a new password (contract, auth section 2).
pub const PASSWORD_LENGTH: RangeInclusive<usize> = 8..=128;

/// What is needed to create an [`Identity`].
#[derive(Clone, Debug)]
pub struct NewIdentity {
    pub tenant: TenantId,
    pub login: String,
    pub display_name: Option<String>,
    pub password_hash: Option<String>,
    /// Permission sets assigned with the creation, by ref.
    pub permission_sets: Vec<String>,
}

/// Kinds of token this server issues (contract, auth section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    Access,
    Refresh,
    Sensor,
    Execution,
    Worker,
}

impl TokenKind {
    pub fn as_str(self) -> &'static str {
        match self {
            TokenKind::Access => "access",
            TokenKind::Refresh => "refresh",
            TokenKind::Sensor => "sensor",
            TokenKind::Execution => "execution",
            TokenKind::Worker => "worker",
        }
    }
}

/// The server's own record of a token: one it never issued, or revoked, is refused.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The token's `jti` claim.
    pub id: String,
    pub identity: IdentityId,
    pub kind: TokenKind,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}
