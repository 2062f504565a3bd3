//! Issuing the pair of tokens that a session lives on.

use std::time::Duration;

use attune_domain::clock::Timestamp;
use attune_domain::identity::{Identity, IssuedToken, TokenKind};
use attune_domain::store::StoreError;
use chrono::TimeDelta;
use uuid::Uuid;

use super::claims::Claims;
use crate::models::auth::{TokenResponse, UserInfo};
use crate::problem::Problem;
use crate::state::ApiState;

/// A new pair of tokens. `replaced` is the refresh token that pays for it: used
/// up in the same commit, and 401 when it was used before.
pub(crate) async fn open(
    state: &ApiState,
    identity: &Identity,
    replaced: Option<String>,
) -> Result<TokenResponse, Problem> {
    let now = state.clock.now();
    let access = new_token(identity, TokenKind::Access, now, state.settings.access_ttl);
    let refresh = new_token(identity, TokenKind::Refresh, now, state.settings.refresh_ttl);
    let response = TokenResponse {
        access_token: signed(state, identity, &access)?,
        refresh_token: signed(state, identity, &refresh)?,
        token_type: "Bearer",
        expires_in: state.settings.access_ttl.as_secs(),
        user: Some(UserInfo::from(identity)),
    };
    match state.store.issue_tokens(vec![access, refresh], replaced).await {
        Ok(()) => Ok(response),
        Err(StoreError::Conflict) => Err(Problem::unauthorized("Invalid refresh token")),
        Err(error) => Err(error.into()),
    }
}

fn new_token(identity: &Identity, kind: TokenKind, now: Timestamp, ttl: Duration) -> IssuedToken {
    IssuedToken {
        id: Uuid::new_v4().to_string(),
        identity: identity.id,
        kind,
        issued_at: now,
        expires_at: now + TimeDelta::from_std(ttl).unwrap_or(TimeDelta::zero()),
    }
}

fn signed(state: &ApiState, identity: &Identity, token: &IssuedToken) -> Result<String, Problem> {
    let claims = Claims {
        sub: identity.id.to_string(),
        login: identity.login.clone(),
        iat: token.issued_at.timestamp(),
        exp: token.expires_at.timestamp(),
        token_type: token.kind,
        jti: token.id.clone(),
    };
    state.tokens.sign(&claims).map_err(|error| Problem::fault(&error, "signing a token"))
}
