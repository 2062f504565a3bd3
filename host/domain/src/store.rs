//! The store seam: what the other rooms ask of the database.
//!
//! One trait for each noun, so that a caller can be given no more than it needs;
//! [`Store`] is all of them. Calls on tenant data take a [`Scope`], which only
//! authentication or a loaded row can make. A write has been committed to disk
//! when its call returns.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::access::{Grant, PermissionSet, Scope, Tenant};
use crate::action::{Action, ActionChange, NewAction, RunnableAction};
use crate::audit::{AuditEvent, AuditFilter, NewAuditEvent};
use crate::clock::Timestamp;
use crate::execution::{
    Execution, ExecutionFilter, ExecutionStats, ExecutionSummary, NewExecution, State, Waiting,
};
use crate::id::{
    ActionId, AuditEventId, DataKeyId, ExecutionId, IdentityId, KeyId, LeaseId, PackId, TenantId,
    WorkerId,
};
use crate::identity::{Identity, IssuedToken, NewIdentity};
use crate::key::{Key, KeyChange, KeyCreated, KeyFilter, NewKey, SealedKey};
use crate::owner::OwnerType;
use crate::pack::{NewPack, Pack, PackChange, PackInstall};
use crate::page::{Listing, Page};
use crate::runner::Stream;
use crate::vault::{Sealed, WrappedDataKey};
use crate::worker::{Acquired, Capacity, Cordon, Holder, Pulse, Renewed, Worker};

/// Why a store call failed. What was not found is `None`, not an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique value is taken; the text names it.
    #[error("{0}")]
    Duplicate(String),
    /// The row has moved on since the caller read it.
    #[error("the row was changed by somebody else")]
    Conflict,
    /// A text holds what no database of ours can keep.
    #[error("a text holds a NUL character, which cannot be stored; leave it out")]
    NulInText,
    /// The disk is full. The same call may succeed later.
    #[error("the database's disk is full")]
    Full,
    /// The database cannot be used now. The same call may succeed later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored row cannot be read.
    #[error("table {table}, row {row}: {problem}")]
    Corrupt { table: &'static str, row: i64, problem: String },
}

/// The result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// The one tenant of an installation that hosts a single tenant.
    async fn embedded_tenant(&self) -> StoreResult<Tenant>;

    /// The tenant that owns what ships with the server, for installing it.
    async fn shared_tenant(&self) -> StoreResult<Tenant> {
        Ok(Tenant { id: TenantId::SHARED, name: "shared".to_owned() })
    }

    /// Creates an identity with its assignments. `Duplicate` when the login is taken.
    async fn create_identity(&self, new: NewIdentity, now: Timestamp) -> StoreResult<Identity>;

    /// Any identity at all: whether the first start has been done.
    async fn has_identities(&self) -> StoreResult<bool>;

    async fn identity_by_login(&self, login: &str) -> StoreResult<Option<Identity>>;

    async fn identity(&self, id: IdentityId) -> StoreResult<Option<Identity>>;

    async fn set_display_name(
        &self,
        scope: Scope,
        id: IdentityId,
        display_name: Option<String>,
        now: Timestamp,
    ) -> StoreResult<()>;

    /// Sets the password and revokes every token of the identity, in one commit.
    async fn set_password(
        &self,
        scope: Scope,
        id: IdentityId,
        password_hash: String,
        now: Timestamp,
    ) -> StoreResult<()>;

    /// Refs of the permission sets assigned to an identity, in alphabetical order.
    async fn assigned_permission_sets(&self, id: IdentityId) -> StoreResult<Vec<String>>;

    /// The grants of all permission sets assigned to an identity.
    async fn effective_grants(&self, id: IdentityId) -> StoreResult<Vec<Grant>>;
}

#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Records tokens that are about to be handed out, and revokes `replaced`, in one
    /// commit. `Conflict` when `replaced` is not a token in force. Without tokens it does
    /// nothing. Records of tokens that have expired by then are deleted.
    async fn issue_tokens(
        &self,
        tokens: Vec<IssuedToken>,
        replaced: Option<String>,
    ) -> StoreResult<()>;

    /// The record of a token that was issued, is not revoked and has not expired.
    async fn token_in_force(&self, id: &str, now: Timestamp) -> StoreResult<Option<IssuedToken>>;
}

/// Which packs a list is to show.
#[derive(Clone, Debug, Default)]
pub struct PackFilter {
    /// Packs seen besides the standard ones: those this identity created …
    pub created_by: Option<IdentityId>,
    /// … and those with these refs.
    pub refs: Vec<String>,
}

#[async_trait]
pub trait PackStore: Send + Sync {
    /// Creates a pack without files. `Duplicate` when the ref is taken in the tenant or shared.
    async fn create_pack(&self, scope: Scope, new: NewPack, now: Timestamp) -> StoreResult<Pack>;

    /// Installs a pack with its files and components in one commit. With `force` it
    /// updates rows in place, keeps who created the pack, and deletes components that have
    /// disappeared; without, `Duplicate` when the ref is taken. `Duplicate` too when a component's
    /// ref belongs to another pack.
    async fn install_pack(
        &self,
        scope: Scope,
        install: PackInstall,
        now: Timestamp,
    ) -> StoreResult<Pack>;

    /// A pack of the tenant, or a shared one.
    async fn pack(&self, scope: Scope, reference: &str) -> StoreResult<Option<Pack>>;

    /// By ref, ascending.
    async fn packs(
        &self,
        scope: Scope,
        filter: &PackFilter,
        page: Page,
    ) -> StoreResult<Listing<Pack>>;

    async fn update_pack(
        &self,
        scope: Scope,
        reference: &str,
        change: PackChange,
        now: Timestamp,
    ) -> StoreResult<Option<Pack>>;

    /// Deletes a pack of the tenant with all its components; false when there is none.
    async fn delete_pack(&self, scope: Scope, reference: &str) -> StoreResult<bool>;

    /// The archive of an installed version of any tenant's pack, for making its folder.
    async fn pack_archive(&self, tenant: TenantId, digest: &str) -> StoreResult<Option<Bytes>>;

    /// Tenant and digest of every version in use: installed, or superseded so short a time ago
    /// (a day) that an unfinished execution may still run it. Others are dropped by installs.
    async fn pack_versions_in_use(&self) -> StoreResult<Vec<(TenantId, String)>>;

    /// Permission sets of the tenant and the shared ones, by ref.
    async fn permission_sets(&self, scope: Scope) -> StoreResult<Vec<PermissionSet>>;
}

/// Which actions a list is to show.
#[derive(Clone, Debug, Default)]
pub struct ActionFilter {
    /// Only actions of packs that this filter shows.
    pub visible_packs: PackFilter,
    /// Only actions of this pack.
    pub pack_ref: Option<String>,
    /// Only actions of one of these packs; empty means all.
    pub pack_refs: Vec<String>,
    /// Only actions whose ref, label or description holds this text, in any case.
    pub text: Option<String>,
}

#[async_trait]
pub trait ActionStore: Send + Sync {
    /// `Duplicate` when the ref is taken. `pack` must be a pack of the tenant.
    async fn create_action(
        &self,
        scope: Scope,
        pack: &Pack,
        new: NewAction,
        now: Timestamp,
    ) -> StoreResult<Action>;

    /// An action of the tenant, or a shared one.
    async fn action(&self, scope: Scope, reference: &str) -> StoreResult<Option<Action>>;

    /// An action with its pack.
    async fn runnable_action(
        &self,
        scope: Scope,
        reference: &str,
    ) -> StoreResult<Option<RunnableAction>>;

    /// By ref, ascending.
    async fn actions(
        &self,
        scope: Scope,
        filter: &ActionFilter,
        page: Page,
    ) -> StoreResult<Listing<Action>>;

    async fn update_action(
        &self,
        scope: Scope,
        reference: &str,
        change: ActionChange,
        now: Timestamp,
    ) -> StoreResult<Option<Action>>;

    /// False when the tenant has no such action.
    async fn delete_action(&self, scope: Scope, reference: &str) -> StoreResult<bool>;
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub enum Submitted {
    New(Execution),
    /// The same `Idempotency-Key` came before, with the same request.
    Repeated(Execution),
    /// The same `Idempotency-Key` came before, with another request.
    KeyReused,
}

/// Output of a run that is to be kept, in the order it was written.
#[derive(Clone, Debug)]
pub struct LogChunk {
    pub stream: Stream,
    /// Bytes of the stream before this chunk.
    pub offset: u64,
    pub bytes: Bytes,
}

#[async_trait]
pub trait ExecutionStore: Send + Sync {
    /// Creates an execution. With an idempotency key that the executor used in the 24 hours
    /// before `now` it creates nothing. One that is to be created under a lease that has ended is
    /// created requested instead.
    async fn submit(
        &self,
        scope: Scope,
        new: NewExecution,
        now: Timestamp,
    ) -> StoreResult<Submitted>;

    async fn execution(&self, scope: Scope, id: ExecutionId) -> StoreResult<Option<Execution>>;

    /// By creation, newest first.
    async fn executions(
        &self,
        scope: Scope,
        filter: &ExecutionFilter,
        page: Page,
    ) -> StoreResult<Listing<ExecutionSummary>>;

    async fn execution_stats(&self, scope: Scope) -> StoreResult<ExecutionStats>;

    /// What waits of each tenant that has requested executions; by tenant.
    async fn waiting(&self) -> StoreResult<Vec<Waiting>>;

    /// Claims up to `limit` requested executions; they are `scheduled` for `holder` when this
    /// returns. None when its lease has ended.
    ///
    /// Tenants take turns, beginning with the one that follows `after`; of each, the oldest go
    /// first.
    async fn claim(
        &self,
        holder: Holder,
        limit: u32,
        after: Option<TenantId>,
        now: Timestamp,
    ) -> StoreResult<Vec<Execution>>;

    /// Writes the state of an execution together with output of its run. `Conflict` unless
    /// the stored version is the one before `state.version`, and, where there is a `fence`, the
    /// execution is held under that lease and the lease has not ended. When the state is that of another
    /// start (`running`, `starts` above 1), the output of the one before is dropped.
    async fn write_state(
        &self,
        scope: Scope,
        id: ExecutionId,
        state: &State,
        log: Vec<LogChunk>,
        fence: Option<LeaseId>,
    ) -> StoreResult<()>;

    /// Keeps output of a run that goes on. `Conflict` unless the execution is held under the
    /// lease `fence`, and that has not ended.
    async fn append_log(
        &self,
        scope: Scope,
        id: ExecutionId,
        fence: Option<LeaseId>,
        log: Vec<LogChunk>,
    ) -> StoreResult<()>;

    /// Stored output of one stream from byte `offset` on, at most `limit` bytes.
    async fn read_log(
        &self,
        scope: Scope,
        id: ExecutionId,
        stream: Stream,
        offset: u64,
        limit: u64,
    ) -> StoreResult<Bytes>;
}

#[async_trait]
pub trait WorkerStore: Send + Sync {
    /// Gives the worker of this name, which is made if it is new, a lease, unless it has one.
    /// `home` is as in [`Pulse`].
    async fn acquire_lease(&self, name: &str, home: &str, now: Timestamp) -> StoreResult<Acquired>;

    /// A beat: the lease is renewed, and noted what the worker can do.
    async fn renew_lease(
        &self,
        lease: LeaseId,
        capacity: Capacity,
        now: Timestamp,
    ) -> StoreResult<Renewed>;

    /// Ends a lease of one's own.
    async fn end_lease(&self, lease: LeaseId, now: Timestamp) -> StoreResult<()>;

    /// Ends a lease of somebody who is thought to be gone; false when it has ended already, or
    /// there was another beat.
    async fn revoke_lease(&self, pulse: &Pulse, now: Timestamp) -> StoreResult<bool>;

    /// Every lease that has not ended.
    async fn pulses(&self) -> StoreResult<Vec<Pulse>>;

    /// Executions that are held under a lease, scheduled, running or canceling; oldest first.
    async fn held_under(&self, lease: LeaseId) -> StoreResult<Vec<Execution>>;

    /// Executions that are held under leases that have ended, oldest first, at most `limit`.
    async fn orphans(&self, limit: u32) -> StoreResult<Vec<Execution>>;

    async fn worker(&self, id: WorkerId) -> StoreResult<Option<Worker>>;

    /// By name.
    async fn workers(&self) -> StoreResult<Vec<Worker>>;

    /// Keeps new work away from a worker, or lets it have some again.
    async fn set_cordon(
        &self,
        id: WorkerId,
        cordon: Option<Cordon>,
        now: Timestamp,
    ) -> StoreResult<Option<Worker>>;
}

/// What a process hears from others on the same database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Text(String),
    /// Texts may have been lost.
    Gap,
}

/// Talk between processes that share a database. What is said may be lost.
#[async_trait]
pub trait PeerStore: Send + Sync {
    /// Says a text of at most [`PEER_TEXT_BYTES`] bytes to all others.
    async fn tell(&self, text: &str) -> StoreResult<()>;

    /// What others say from now on. None where there can be no others.
    async fn listen(&self) -> StoreResult<Option<BoxStream<'static, Heard>>>;
}

/// The longest text that can be said to other processes.
pub const PEER_TEXT_BYTES: usize = 7000;

/// The audit of a tenant.
#[async_trait]
pub trait AuditStore: Send + Sync {
    async fn record_audit_event(
        &self,
        scope: Scope,
        event: NewAuditEvent,
        now: Timestamp,
    ) -> StoreResult<()>;

    /// Newest first.
    async fn audit_events(
        &self,
        scope: Scope,
        filter: &AuditFilter,
        page: Page,
    ) -> StoreResult<Listing<AuditEvent>>;

    async fn audit_event(&self, scope: Scope, id: AuditEventId) -> StoreResult<Option<AuditEvent>>;
}

/// Keys. One that has expired by `now` is not there.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// `Duplicate` when the ref is taken; `Conflict` when the owner, or the data key of the value,
    /// is gone. What is done is audited in the same commit.
    async fn create_key(
        &self,
        scope: Scope,
        new: NewKey,
        audit: NewAuditEvent,
        now: Timestamp,
    ) -> StoreResult<KeyCreated>;

    async fn key(
        &self,
        scope: Scope,
        reference: &str,
        now: Timestamp,
    ) -> StoreResult<Option<SealedKey>>;

    /// By ref, ascending.
    async fn keys(
        &self,
        scope: Scope,
        filter: &KeyFilter,
        page: Page,
        now: Timestamp,
    ) -> StoreResult<Listing<Key>>;

    /// Changes a key that still has the version that the caller read; `Conflict` when it has not,
    /// or when the data key of the value is gone.
    async fn update_key(
        &self,
        scope: Scope,
        read: &Key,
        change: KeyChange,
        audit: NewAuditEvent,
        now: Timestamp,
    ) -> StoreResult<Key>;

    /// False when it is gone already.
    async fn delete_key(
        &self,
        scope: Scope,
        read: &Key,
        audit: NewAuditEvent,
        now: Timestamp,
    ) -> StoreResult<bool>;

    /// Keys of the tenant itself, then those of the pack, then those of the action. For whom names
    /// count, a later one takes the place of an earlier one.
    async fn keys_for_action(
        &self,
        scope: Scope,
        pack: PackId,
        action: ActionId,
        now: Timestamp,
    ) -> StoreResult<Vec<SealedKey>>;

    /// The ref of a pack or an action that a request names by its id.
    async fn owner_ref(
        &self,
        scope: Scope,
        kind: OwnerType,
        id: i64,
    ) -> StoreResult<Option<String>>;

    /// Deletes keys that have expired, of all tenants, at most `limit`; tells how many.
    async fn sweep_keys(&self, now: Timestamp, limit: u32) -> StoreResult<u64>;

    /// When the next key expires, or has.
    async fn next_key_expiry(&self) -> StoreResult<Option<Timestamp>>;
}

/// What stored values are sealed with.
#[async_trait]
pub trait DataKeyStore: Send + Sync {
    /// The one that seals; none before a tenant's first value.
    async fn current_data_key(&self, scope: Scope) -> StoreResult<Option<WrappedDataKey>>;

    async fn data_key(&self, scope: Scope, id: DataKeyId) -> StoreResult<Option<WrappedDataKey>>;

    /// Those of all tenants.
    async fn data_keys(&self) -> StoreResult<Vec<WrappedDataKey>>;

    /// Makes one the tenant's current one, in the place of `replaced`, unless somebody else has
    /// done so meanwhile. Returns the current one in any case.
    async fn add_data_key(
        &self,
        scope: Scope,
        wrapped: Bytes,
        master: &str,
        replaced: Option<DataKeyId>,
        now: Timestamp,
    ) -> StoreResult<WrappedDataKey>;

    /// Replaces how one is wrapped; false when somebody else has done so since it was read.
    async fn rewrap_data_key(
        &self,
        read: &WrappedDataKey,
        wrapped: Bytes,
        master: &str,
    ) -> StoreResult<bool>;

    /// Keys with values of retired data keys, of all tenants, by id, from the one after `after` on.
    async fn sealed_with_retired(&self, after: KeyId, limit: u32) -> StoreResult<Vec<SealedKey>>;

    /// Replaces how the value of a key is sealed, and nothing else; false when the key was changed
    /// since it was read. `Conflict` when the new data key is gone.
    async fn reseal_key(&self, scope: Scope, read: &SealedKey, value: Sealed) -> StoreResult<bool>;

    /// Deletes the retired ones that no value needs any more.
    async fn drop_retired_data_keys(&self) -> StoreResult<Vec<DataKeyId>>;
}

/// What all servers of an installation have to agree on.
#[async_trait]
pub trait InstallationStore: Send + Sync {
    /// The value under a name; `proposed` is kept as it where there was none.
    async fn agreed(&self, name: &str, proposed: &str) -> StoreResult<String>;

    /// Replaces the value under a name.
    async fn agree(&self, name: &str, value: &str) -> StoreResult<()>;
}

/// Everything a server needs of its database.
#[async_trait]
pub trait Store:
    IdentityStore
    + TokenStore
    + PackStore
    + ActionStore
    + ExecutionStore
    + WorkerStore
    + PeerStore
    + AuditStore
    + KeyStore
    + DataKeyStore
    + InstallationStore
{
    /// Whether other processes may use the database at the same time. Where they cannot, an
    /// earlier process is known to be gone, and nobody is watched.
    fn is_shared(&self) -> bool;

    /// Whether the database answers.
    async fn ping(&self) -> StoreResult<()>;

    /// Finishes the writes that have begun and closes the database. Later calls fail with
    /// `Unavailable`.
    async fn close(&self);
}
