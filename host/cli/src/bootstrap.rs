//! The first administrator: made at the first start, before any request is served.

use anyhow::Context;
use attune_domain::clock::Clock;
use attune_domain::identity::NewIdentity;
use attune_domain::store::Store;

use crate::config::environment::Bootstrap;
use crate::secret::Secret;

/// Login of a first administrator whose name was not given.
const DEFAULT_LOGIN: &str = "admin";

/// What holds every right in a tenant; comes with the core pack.
const ADMIN_SET: &str = "core.admin";

/// Credentials that were made up here and that nobody else knows.
pub(crate) struct Generated {
    pub login: String,
    pub password: Secret,
}

/// Creates the administrator unless the installation has identities already. Tells the
/// password if it was not given.
pub(crate) async fn ensure_admin(
    store: &dyn Store,
    clock: &dyn Clock,
    given: Bootstrap,
) -> anyhow::Result<Option<Generated>> {
    if store.has_identities().await? {
        return Ok(None);
    }
    let login = given.login.unwrap_or_else(|| DEFAULT_LOGIN.to_owned());
    let generated = given.password.is_none();
    let password = given.password.unwrap_or_else(Secret::generate);
    let hash = attune_api::hash_password(password.expose().to_owned())
        .await
        .context("the administrator's password cannot be hashed")?;
    let identity = NewIdentity {
        tenant: store.embedded_tenant().await?.id,
        login: login.clone(),
        display_name: Some("Administrator".to_owned()),
        password_hash: Some(hash),
        permission_sets: vec![ADMIN_SET.to_owned()],
    };
    store.create_identity(identity, clock.now()).await.context("the administrator")?;
    tracing::info!(login, "first start: administrator created");
    Ok(generated.then_some(Generated { login, password }))
}
