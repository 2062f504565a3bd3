//! Who is asking: from a bearer token to a principal.
//!
//! [`claims`] signs and verifies tokens, [`session`] issues them, [`cache`] saves
//! the reads that a busy caller would cost, [`passwords`] hashes.

pub(crate) mod cache;
pub(crate) mod claims;
pub(crate) mod passwords;
pub(crate) mod session;

use std::ops::Deref;
use std::sync::Arc;

use attune_domain::access::{Grant, Principal, standard_access};
use attune_domain::clock::Timestamp;
use attune_domain::egress::Caller;
use attune_domain::id::IdentityId;
use attune_domain::identity::TokenKind;
use attune_domain::store::StoreResult;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, TimeDelta};
use tracing::Span;

use self::claims::Claims;
use crate::access::{STANDARD_ACCESS, action_of};
use crate::problem::Problem;
use crate::state::ApiState;

/// The caller, as the bearer token proves.
pub(crate) struct Bearer {
    principal: Arc<Principal>,
    /// When the token, and with it a stream, ends.
    pub(crate) expires_at: Timestamp,
}

impl Deref for Bearer {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl FromRequestParts<ApiState> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Bearer, Problem> {
        let token = bearer_token(&parts.headers)
            .ok_or_else(|| Problem::bearer("Missing authentication token"))?;
        let now = state.clock.now();
        if let Some(OfExecution(caller)) = parts.extensions.get() {
            let principal = Arc::new(of_execution(state, caller).await?);
            Span::current().record("identity", principal.identity().0);
            return Ok(Bearer { principal, expires_at: now + OUTLIVES_ANY_RUN });
        }
        let claims = state
            .tokens
            .verify(token, TokenKind::Access, now)
            .map_err(|error| Problem::bearer(error.to_string()))?;
        let principal = principal(state, &claims, now).await?;
        Span::current().record("identity", principal.identity().0);
        let expires_at = DateTime::from_timestamp(claims.exp, 0).unwrap_or(now);
        Ok(Bearer { principal, expires_at })
    }
}

/// A request that an execution has sent, as the broker knows: it needs no token to prove it.
#[derive(Clone)]
pub(crate) struct OfExecution(pub(crate) Caller);

/// An exchange of an execution ends with its run, whatever the token would allow.
const OUTLIVES_ANY_RUN: TimeDelta = TimeDelta::days(1);

/// The identity on whose behalf it runs, with what the execution's permission sets grant and
/// nothing of its own (contract, auth section 5).
async fn of_execution(state: &ApiState, caller: &Caller) -> Result<Principal, Problem> {
    let refused = || Problem::bearer("Invalid authentication token");
    let executor = caller.executor.ok_or_else(refused)?;
    let identity = state.store.identity(executor).await?.ok_or_else(refused)?;
    if identity.frozen || caller.permission_sets.is_empty() {
        return Err(refused());
    }
    let sets = state.store.permission_sets(caller.scope).await?;
    let held = sets.iter().filter(|set| caller.permission_sets.contains(&set.reference));
    let mut grants: Vec<Grant> = held.flat_map(|set| Grant::read_all(&set.grants)).collect();
    if caller.permission_sets.iter().any(|set| set == STANDARD_ACCESS) {
        grants.extend(own_grants(state, caller).await?);
    }
    Ok(Principal::authenticated(&identity, TokenKind::Execution, grants))
}

/// What the reserved set gives: the keys of the action that runs, and of its pack.
async fn own_grants(state: &ApiState, caller: &Caller) -> StoreResult<Vec<Grant>> {
    let Some(execution) = state.store.execution(caller.scope, caller.execution).await? else {
        return Ok(Vec::new());
    };
    let action = action_of(state, caller.scope, &execution).await?;
    Ok(action.map_or_else(Vec::new, |action| standard_access(&action)))
}

pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn principal(
    state: &ApiState,
    claims: &Claims,
    now: Timestamp,
) -> Result<Arc<Principal>, Problem> {
    if let Some(principal) = state.principals.get(&claims.jti, now) {
        return Ok(principal);
    }
    let ticket = state.principals.ticket();
    let principal = Arc::new(load(state, claims, now).await?);
    state.principals.put(ticket, claims.jti.clone(), Arc::clone(&principal), now);
    Ok(principal)
}

/// A correct signature is not enough: the server must know the token, and its owner
/// must be allowed in.
async fn load(state: &ApiState, claims: &Claims, now: Timestamp) -> Result<Principal, Problem> {
    let refused = || Problem::bearer("Invalid authentication token");
    let token = state.store.token_in_force(&claims.jti, now).await?.ok_or_else(refused)?;
    if token.kind != TokenKind::Access || Some(token.identity) != claims.identity() {
        return Err(refused());
    }
    let identity = state.store.identity(token.identity).await?.ok_or_else(refused)?;
    if identity.frozen {
        return Err(refused());
    }
    let grants = state.store.effective_grants(identity.id).await?;
    Ok(Principal::authenticated(&identity, token.kind, grants))
}

impl Claims {
    /// The identity that the token names.
    pub(crate) fn identity(&self) -> Option<IdentityId> {
        self.sub.parse().ok().map(IdentityId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        bearer_token(&headers).map(str::to_owned)
    }

    #[test]
    fn only_the_bearer_scheme_counts() {
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("Basic abc"), None);
        assert_eq!(token("abc"), None);
        assert_eq!(bearer_token(&HeaderMap::new()), None);
    }
}
