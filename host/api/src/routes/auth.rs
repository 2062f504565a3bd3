//! Signing in, without a bearer token.

use attune_domain::identity::{NewIdentity, TokenKind};
use attune_domain::store::StoreError;
use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{One, Refusals, one};
use crate::auth::session;
use crate::envelope::Single;
use crate::input::JsonBody;
use crate::models::auth::{
    AuthSettingsResponse, LoginRequest, RefreshTokenRequest, RegisterRequest, TokenLoginRequest,
    TokenResponse,
};
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(register))
        .routes(routes!(refresh))
        .routes(routes!(token_login))
        .routes(routes!(ldap_login))
        .routes(routes!(settings))
}

/// Sign in
#[utoipa::path(post, path = "/auth/login", tag = "auth", security(()), request_body = LoginRequest,
    responses((status = 200, body = Single<TokenResponse>), Refusals))]
async fn login(
    State(state): State<ApiState>,
    JsonBody(request): JsonBody<LoginRequest>,
) -> One<TokenResponse> {
    let identity = state.store.identity_by_login(&request.login).await?;
    let hash = identity.as_ref().and_then(|identity| identity.password_hash.clone());
    let verified = state.passwords.verify(request.password, hash).await;
    let verified = verified.map_err(|error| Problem::fault(&error, "checking a password"))?;
    // One answer for every reason: a stranger learns no logins here.
    let identity = identity
        .filter(|identity| verified && !identity.frozen)
        .ok_or_else(|| Problem::unauthorized("Invalid login or password"))?;
    session::open(&state, &identity, None).await.map(one)
}

/// Register
#[utoipa::path(post, path = "/auth/register", tag = "auth", security(()), request_body = RegisterRequest,
    responses((status = 200, body = Single<TokenResponse>), Refusals))]
async fn register(
    State(state): State<ApiState>,
    JsonBody(request): JsonBody<RegisterRequest>,
) -> One<TokenResponse> {
    if !state.settings.self_registration {
        return Err(Problem::forbidden("Self registration is disabled"));
    }
    let hash = state.passwords.hash(request.password).await;
    let new = NewIdentity {
        tenant: state.store.embedded_tenant().await?.id,
        login: request.login,
        display_name: request.display_name,
        password_hash: Some(hash.map_err(|error| Problem::fault(&error, "hashing a password"))?),
        permission_sets: Vec::new(),
    };
    let identity = match state.store.create_identity(new, state.clock.now()).await {
        Err(StoreError::Duplicate(_)) => Err(Problem::conflict("This login is already taken")),
        other => other.map_err(Problem::from),
    };
    session::open(&state, &identity?, None).await.map(one)
}

/// Exchange a refresh token for a new pair
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", security(()), request_body = RefreshTokenRequest,
    responses((status = 200, body = Single<TokenResponse>), Refusals))]
async fn refresh(
    State(state): State<ApiState>,
    JsonBody(request): JsonBody<RefreshTokenRequest>,
) -> One<TokenResponse> {
    let refused = || Problem::unauthorized("Invalid refresh token");
    let now = state.clock.now();
    let claims = state.tokens.verify(&request.refresh_token, TokenKind::Refresh, now);
    let claims = claims.map_err(|_| refused())?;
    let token = state.store.token_in_force(&claims.jti, now).await?.ok_or_else(refused)?;
    if token.kind != TokenKind::Refresh || claims.identity() != Some(token.identity) {
        return Err(refused());
    }
    let identity = state.store.identity(token.identity).await?;
    let identity = identity.filter(|identity| !identity.frozen).ok_or_else(refused)?;
    session::open(&state, &identity, Some(token.id)).await.map(one)
}

/// Sign in with an integration token
#[utoipa::path(post, path = "/auth/token-login", tag = "auth", security(()), request_body = TokenLoginRequest,
    responses((status = 200, body = Single<TokenResponse>), Refusals))]
async fn token_login(_: JsonBody<TokenLoginRequest>) -> One<TokenResponse> {
    Err(Problem::unauthorized("Invalid integration token"))
}

/// Sign in through LDAP
#[utoipa::path(post, path = "/auth/ldap/login", tag = "auth", security(()), request_body = LoginRequest,
    responses((status = 200, body = Single<TokenResponse>), Refusals))]
async fn ldap_login(_: JsonBody<LoginRequest>) -> One<TokenResponse> {
    Err(Problem::not_implemented("LDAP login is not configured"))
}

/// How one can sign in
#[utoipa::path(get, path = "/auth/settings", tag = "auth", security(()),
    responses((status = 200, body = Single<AuthSettingsResponse>)))]
async fn settings(State(state): State<ApiState>) -> Json<Single<AuthSettingsResponse>> {
    one(AuthSettingsResponse::passwords_only(state.settings.self_registration))
}
