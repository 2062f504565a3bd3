//! Tokens that were issued and are in force; revoking one deletes its row.

use std::time::Duration;

use async_trait::async_trait;
use attune_domain::clock::Timestamp;
use attune_domain::id::IdentityId;
use attune_domain::identity::{IssuedToken, TokenKind};
use attune_domain::store::{StoreError, StoreResult, TokenStore};
use sqlx::query;

use super::EngineStore;
use super::engine::Connection;
use super::rows::{Fields, micros};
use crate::error::Stored;

/// How long an expired token is remembered: a server whose clock is fast by less signs out nobody
/// at the others.
const EXPIRED_KEPT: Duration = Duration::from_hours(24);

#[async_trait]
impl TokenStore for EngineStore {
    async fn issue_tokens(
        &self,
        tokens: Vec<IssuedToken>,
        replaced: Option<String>,
    ) -> StoreResult<()> {
        self.writer.write(move |connection| Box::pin(issue(connection, tokens, replaced))).await
    }

    async fn token_in_force(&self, id: &str, now: Timestamp) -> StoreResult<Option<IssuedToken>> {
        let row = query(
            "SELECT identity, id, kind, issued_at, expires_at FROM token
             WHERE id = $1 AND expires_at > $2",
        )
        .bind(id)
        .bind(micros(now))
        .fetch_optional(&self.readers)
        .await
        .stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }
}

fn read(fields: &mut Fields<'_>) -> StoreResult<IssuedToken> {
    Ok(IssuedToken {
        identity: IdentityId(fields.table("token")?),
        id: fields.get()?,
        kind: fields.word(kind)?,
        issued_at: fields.time()?,
        expires_at: fields.time()?,
    })
}

fn kind(word: &str) -> Option<TokenKind> {
    use TokenKind::{Access, Execution, Refresh, Sensor, Worker};
    [Access, Refresh, Sensor, Execution, Worker].into_iter().find(|kind| kind.as_str() == word)
}

async fn issue(
    connection: &mut Connection,
    tokens: Vec<IssuedToken>,
    replaced: Option<String>,
) -> StoreResult<()> {
    let Some(now) = tokens.iter().map(|token| token.issued_at).max() else { return Ok(()) };
    if let Some(replaced) = replaced {
        revoke(connection, &replaced, now).await?;
    }
    forget_expired(connection, now).await?;
    for token in tokens {
        record(connection, token).await?;
    }
    Ok(())
}

/// Revokes a token that is in force `now`, else `Conflict`.
async fn revoke(connection: &mut Connection, id: &str, now: Timestamp) -> StoreResult<()> {
    let done = query("DELETE FROM token WHERE id = $1 AND expires_at > $2")
        .bind(id)
        .bind(micros(now))
        .execute(connection)
        .await
        .stored()?;
    if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

/// The table grows where tokens are issued, so that is where it is kept short.
async fn forget_expired(connection: &mut Connection, now: Timestamp) -> StoreResult<()> {
    query("DELETE FROM token WHERE expires_at <= $1")
        .bind(micros(now - EXPIRED_KEPT))
        .execute(connection)
        .await
        .stored()?;
    Ok(())
}

/// The tenant is the identity's.
async fn record(connection: &mut Connection, token: IssuedToken) -> StoreResult<()> {
    let done = query(
        "INSERT INTO token (id, tenant, identity, kind, issued_at, expires_at)
         SELECT $1, tenant, id, $3, $4, $5 FROM identity WHERE id = $2",
    )
    .bind(token.id)
    .bind(token.identity.0)
    .bind(token.kind.as_str())
    .bind(micros(token.issued_at))
    .bind(micros(token.expires_at))
    .execute(connection)
    .await
    .or_taken(|| "token id already exists".to_owned())?;
    if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}
