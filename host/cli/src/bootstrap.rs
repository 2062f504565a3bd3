//! The first administrator: made at the first start, before any request is served.

use std::io;

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

/// Creates the administrator unless the installation has identities already. A password
/// that was not given is made up and goes to `show`.
///
/// It is shown before the administrator is stored: a start that ends in between leaves
/// nobody behind whose password is lost, and the next one makes up another.
pub(crate) async fn ensure_admin(
    store: &dyn Store,
    clock: &dyn Clock,
    given: Bootstrap,
    show: impl FnOnce(&Generated) -> io::Result<()>,
) -> anyhow::Result<()> {
    if store.has_identities().await? {
        return Ok(());
    }
    let login = given.login.unwrap_or_else(|| DEFAULT_LOGIN.to_owned());
    let password = match given.password {
        Some(password) => password,
        None => shown(&login, show).context("the administrator's password cannot be shown")?,
    };
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
    Ok(())
}

/// A new password that `show` has taken.
fn shown(login: &str, show: impl FnOnce(&Generated) -> io::Result<()>) -> io::Result<Secret> {
    let generated = Generated { login: login.to_owned(), password: Secret::generate() };
    show(&generated)?;
    Ok(generated.password)
}

#[cfg(test)]
mod tests {
    use attune_domain::store::IdentityStore;
    use attune_store::SqliteStore;

    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test]
    async fn nobody_is_stored_whose_password_was_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("attune.db")).await.unwrap();
        let given = Bootstrap { login: None, password: None };
        let broken = |_: &Generated| Err(io::ErrorKind::BrokenPipe.into());
        ensure_admin(&store, &SystemClock, given, broken).await.unwrap_err();
        assert!(!store.has_identities().await.unwrap());
    }
}
