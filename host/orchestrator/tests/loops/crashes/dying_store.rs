//! A store whose process ends at a given commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use attune_domain::access::{Grant, PermissionSet, Scope, Tenant};
use attune_domain::action::{Action, ActionChange, NewAction, RunnableAction};
use attune_domain::audit::{AuditEvent, AuditFilter, NewAuditEvent};
use attune_domain::clock::Timestamp;
use attune_domain::execution::{
    Execution, ExecutionFilter, ExecutionStats, ExecutionSummary, NewExecution, State, Waiting,
};
use attune_domain::id::{
    ActionId, AuditEventId, DataKeyId, ExecutionId, IdentityId, KeyId, LeaseId, PackId, TenantId,
    WorkerId,
};
use attune_domain::identity::{Identity, IssuedToken, NewIdentity};
use attune_domain::key::{Key, KeyChange, KeyCreated, KeyFilter, NewKey, SealedKey};
use attune_domain::owner::OwnerType;
use attune_domain::pack::{NewPack, Pack, PackChange, PackInstall};
use attune_domain::page::{Listing, Page};
use attune_domain::runner::Stream;
use attune_domain::store::{
    ActionFilter, ActionStore, AuditStore, DataKeyStore, ExecutionStore, Heard, IdentityStore,
    InstallationStore, KeyStore, LogChunk, PackFilter, PackStore, PeerStore, Store, StoreResult,
    Submitted, TokenStore, WorkerStore,
};
use attune_domain::vault::{Sealed, WrappedDataKey};
use attune_domain::worker::{Acquired, Capacity, Cordon, Holder, Pulse, Renewed, Worker};
use bytes::Bytes;
use futures::stream::BoxStream;

/// Where a process ends: before or after its so many-th commit, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    Before(usize),
    After(usize),
}

impl Point {
    /// The points in order.
    pub(crate) fn all() -> impl Iterator<Item = Point> {
        (1..).flat_map(|commit| [Point::Before(commit), Point::After(commit)])
    }
}

pub(crate) struct DyingStore {
    store: Arc<dyn Store>,
    point: Point,
    commits: AtomicUsize,
}

impl DyingStore {
    pub(crate) fn new(store: Arc<dyn Store>, point: Point) -> DyingStore {
        DyingStore { store, point, commits: AtomicUsize::new(0) }
    }

    async fn commit<T>(&self, write: impl Future<Output = T> + Send) -> T {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        if matches!(self.point, Point::Before(last) if last == number) {
            std::process::abort();
        }
        let written = write.await;
        if matches!(self.point, Point::After(last) if last == number) {
            std::process::abort();
        }
        written
    }
}

macro_rules! pass_on {
    ($($trait:ident { $($kind:ident $call:ident($($name:ident: $type:ty),*) -> $result:ty;)* })*) => {
        $(#[async_trait]
        impl $trait for DyingStore {
            $(async fn $call(&self, $($name: $type),*) -> StoreResult<$result> {
                pass_on!(@$kind self, self.store.$call($($name),*))
            })*
        })*
    };
    (@read $self:ident, $call:expr) => { $call.await };
    (@write $self:ident, $call:expr) => { $self.commit($call).await };
}

pass_on! {
    IdentityStore {
        read embedded_tenant() -> Tenant;
        read shared_tenant() -> Tenant;
        write create_identity(new: NewIdentity, now: Timestamp) -> Identity;
        read has_identities() -> bool;
        read identity_by_login(login: &str) -> Option<Identity>;
        read identity(id: IdentityId) -> Option<Identity>;
        write set_display_name(scope: Scope, id: IdentityId, display_name: Option<String>, now: Timestamp) -> ();
        write set_password(scope: Scope, id: IdentityId, password_hash: String, now: Timestamp) -> ();
        read assigned_permission_sets(id: IdentityId) -> Vec<String>;
        read effective_grants(id: IdentityId) -> Vec<Grant>;
    }
    TokenStore {
        write issue_tokens(tokens: Vec<IssuedToken>, replaced: Option<String>) -> ();
        read token_in_force(id: &str, now: Timestamp) -> Option<IssuedToken>;
    }
    PackStore {
        write create_pack(scope: Scope, new: NewPack, now: Timestamp) -> Pack;
        write install_pack(scope: Scope, install: PackInstall, now: Timestamp) -> Pack;
        read pack(scope: Scope, reference: &str) -> Option<Pack>;
        read packs(scope: Scope, filter: &PackFilter, page: Page) -> Listing<Pack>;
        write update_pack(scope: Scope, reference: &str, change: PackChange, now: Timestamp) -> Option<Pack>;
        write delete_pack(scope: Scope, reference: &str) -> bool;
        read pack_archive(tenant: TenantId, digest: &str) -> Option<Bytes>;
        read pack_versions_in_use() -> Vec<(TenantId, String)>;
        read permission_sets(scope: Scope) -> Vec<PermissionSet>;
    }
    ActionStore {
        write create_action(scope: Scope, pack: &Pack, new: NewAction, now: Timestamp) -> Action;
        read action(scope: Scope, reference: &str) -> Option<Action>;
        read runnable_action(scope: Scope, reference: &str) -> Option<RunnableAction>;
        read actions(scope: Scope, filter: &ActionFilter, page: Page) -> Listing<Action>;
        write update_action(scope: Scope, reference: &str, change: ActionChange, now: Timestamp) -> Option<Action>;
        write delete_action(scope: Scope, reference: &str) -> bool;
    }
    ExecutionStore {
        write submit(scope: Scope, new: NewExecution, now: Timestamp) -> Submitted;
        read execution(scope: Scope, id: ExecutionId) -> Option<Execution>;
        read executions(scope: Scope, filter: &ExecutionFilter, page: Page) -> Listing<ExecutionSummary>;
        read execution_stats(scope: Scope) -> ExecutionStats;
        read waiting() -> Vec<Waiting>;
        write claim(holder: Holder, limit: u32, after: Option<TenantId>, now: Timestamp) -> Vec<Execution>;
        write write_state(scope: Scope, id: ExecutionId, state: &State, log: Vec<LogChunk>, fence: Option<LeaseId>) -> ();
        write append_log(scope: Scope, id: ExecutionId, fence: Option<LeaseId>, log: Vec<LogChunk>) -> ();
        read read_log(scope: Scope, id: ExecutionId, stream: Stream, offset: u64, limit: u64) -> Bytes;
    }
    WorkerStore {
        write acquire_lease(name: &str, home: &str, now: Timestamp) -> Acquired;
        write renew_lease(lease: LeaseId, capacity: Capacity, now: Timestamp) -> Renewed;
        write end_lease(lease: LeaseId, now: Timestamp) -> ();
        write revoke_lease(pulse: &Pulse, now: Timestamp) -> bool;
        read pulses() -> Vec<Pulse>;
        read held_under(lease: LeaseId) -> Vec<Execution>;
        read orphans(limit: u32) -> Vec<Execution>;
        read worker(id: WorkerId) -> Option<Worker>;
        read workers() -> Vec<Worker>;
        write set_cordon(id: WorkerId, cordon: Option<Cordon>, now: Timestamp) -> Option<Worker>;
    }
    PeerStore {
        read tell(text: &str) -> ();
        read listen() -> Option<BoxStream<'static, Heard>>;
    }
    AuditStore {
        write record_audit_event(scope: Scope, event: NewAuditEvent, now: Timestamp) -> ();
        read audit_events(scope: Scope, filter: &AuditFilter, page: Page) -> Listing<AuditEvent>;
        read audit_event(scope: Scope, id: AuditEventId) -> Option<AuditEvent>;
    }
    KeyStore {
        write create_key(scope: Scope, new: NewKey, audit: NewAuditEvent, now: Timestamp) -> KeyCreated;
        read key(scope: Scope, reference: &str, now: Timestamp) -> Option<SealedKey>;
        read keys(scope: Scope, filter: &KeyFilter, page: Page, now: Timestamp) -> Listing<Key>;
        write update_key(scope: Scope, read: &Key, change: KeyChange, audit: NewAuditEvent, now: Timestamp) -> Key;
        write delete_key(scope: Scope, read: &Key, audit: NewAuditEvent, now: Timestamp) -> bool;
        read keys_for_action(scope: Scope, pack: PackId, action: ActionId, now: Timestamp) -> Vec<SealedKey>;
        read owner_ref(scope: Scope, kind: OwnerType, id: i64) -> Option<String>;
        write sweep_keys(now: Timestamp, limit: u32) -> u64;
        read next_key_expiry() -> Option<Timestamp>;
    }
    DataKeyStore {
        read current_data_key(scope: Scope) -> Option<WrappedDataKey>;
        read data_key(scope: Scope, id: DataKeyId) -> Option<WrappedDataKey>;
        read data_keys() -> Vec<WrappedDataKey>;
        write add_data_key(scope: Scope, wrapped: Bytes, master: &str, replaced: Option<DataKeyId>, now: Timestamp) -> WrappedDataKey;
        write rewrap_data_key(read: &WrappedDataKey, wrapped: Bytes, master: &str) -> bool;
        read sealed_with_retired(after: KeyId, limit: u32) -> Vec<SealedKey>;
        write reseal_key(scope: Scope, read: &SealedKey, value: Sealed) -> bool;
        write drop_retired_data_keys() -> Vec<DataKeyId>;
    }
    InstallationStore {
        write agreed(name: &str, proposed: &str) -> String;
        write agree(name: &str, value: &str) -> ();
    }
}

#[async_trait]
impl Store for DyingStore {
    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    async fn ping(&self) -> StoreResult<()> {
        self.store.ping().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
