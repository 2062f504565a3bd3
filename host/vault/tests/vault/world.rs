//! A database with a file of master keys beside it, and servers' vaults on both.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use attune_domain::access::{Scope, Tenant};
use attune_domain::audit::{AuditCategory, AuditOutcome, NewAuditEvent};
use attune_domain::clock::{Clock, Timestamp};
use attune_domain::id::TenantId;
use attune_domain::key::{Key, KeyCreated, NewKey, SealedKey};
use attune_domain::owner::Owner;
use attune_domain::store::Store;
use attune_domain::vault::{Place, Vault};
use attune_store::SqliteStore;
use attune_vault::{KeyVault, MasterKey, Source, StartError};
use chrono::DateTime;
use futures::future::BoxFuture;
use serde_json::json;
use tempfile::TempDir;

/// The time stands still, and sleep is real.
struct TestClock;

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

pub(crate) fn now() -> Timestamp {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> World {
        let folder = TempDir::new().unwrap();
        let store = SqliteStore::open(&folder.path().join("attune.db")).await.unwrap();
        World { store: Arc::new(store), folder }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("master.key")
    }

    /// The vault of a server that has just started, with the file of master keys.
    pub(crate) async fn start(&self) -> Result<KeyVault, StartError> {
        self.start_with(Source::File { path: self.file(), made: true }).await
    }

    pub(crate) async fn start_with(&self, source: Source) -> Result<KeyVault, StartError> {
        KeyVault::start(source, self.store.clone(), Arc::new(TestClock)).await
    }

    /// Puts a new master key before those of the file.
    pub(crate) fn put_new_master(&self) {
        let before = fs::read_to_string(self.file()).unwrap();
        let after = format!("{}\n{before}", &*MasterKey::generate_line());
        fs::write(self.file(), after).unwrap();
    }

    /// Leaves the first master key of the file alone.
    pub(crate) fn forget_old_masters(&self) {
        let before = fs::read_to_string(self.file()).unwrap();
        fs::write(self.file(), before.lines().next().unwrap()).unwrap();
    }

    /// Stores a key with this value.
    pub(crate) async fn store_key(&self, vault: &KeyVault, reference: &str, value: &str) -> Key {
        let place = Place::Key(reference);
        let new = NewKey {
            reference: reference.to_owned(),
            name: reference.to_owned(),
            owner: Owner::System,
            encrypted: true,
            expires_at: None,
            value: vault.seal(own(), place, value.as_bytes()).await.unwrap(),
        };
        match self.store.create_key(own(), new, audit(), now()).await.unwrap() {
            KeyCreated::New(key) => key,
            KeyCreated::TooMany => panic!("too many"),
        }
    }

    pub(crate) async fn stored(&self, reference: &str) -> SealedKey {
        self.store.key(own(), reference, now()).await.unwrap().unwrap()
    }

    /// The value of a stored key.
    pub(crate) async fn value(&self, vault: &KeyVault, reference: &str) -> String {
        let stored = self.stored(reference).await;
        let plain = vault.open(own(), Place::Key(reference), &stored.value).await.unwrap();
        String::from_utf8(plain).unwrap()
    }

    /// Waits until no data key is retired.
    pub(crate) async fn all_sealed_anew(&self) {
        for _ in 0..1000 {
            let data_keys = self.store.data_keys().await.unwrap();
            if data_keys.iter().all(|key| key.retired.is_none()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a retired data key is still there");
    }
}

pub(crate) fn scope(tenant: i64) -> Scope {
    Scope::of_tenant(&Tenant { id: TenantId(tenant), name: String::new() })
}

pub(crate) fn own() -> Scope {
    scope(1)
}

pub(crate) fn audit() -> NewAuditEvent {
    NewAuditEvent {
        category: AuditCategory::Secret,
        event_type: "key.create".to_owned(),
        outcome: AuditOutcome::Success,
        actor_identity: None,
        resource_type: "key".to_owned(),
        resource_id: None,
        resource_ref: None,
        details: json!({}),
    }
}
