//! A server's loops over a fresh database, with one pack of one action installed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use attune_domain::access::{Principal, Scope};
use attune_domain::action::{NewAction, OnLost, RunSpec, RunnableAction};
use attune_domain::clock::Clock;
use attune_domain::egress::HttpLimits;
use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::id::{DataKeyId, ExecutionId, TenantId};
use attune_domain::identity::{NewIdentity, TokenKind};
use attune_domain::limits::Limits;
use attune_domain::native::NativePolicy;
use attune_domain::notice::Notice;
use attune_domain::pack::{NewPack, PackArchive, PackFolders, PackInstall};
use attune_domain::runner::Job;
use attune_domain::store::{Store, StoreResult};
use attune_domain::vault::{MasterRotation, Place, Sealed, Vault, VaultError, VaultState};
use attune_domain::{Json, JsonObject};
use attune_orchestrator::{ExecutionRequest, Orchestrator, Parts, Settings, SubmitError};
use attune_store::SqliteStore;
use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc};

use crate::scripted_runner::ScriptedRunner;
use crate::sim_clock::SimClock;

/// Real time a test waits for a fact before it gives up.
const PATIENCE: Duration = Duration::from_secs(20);

const LOGIN: &str = "tester";
const ACTION: &str = "test.act";
/// The worker of a server that is alone.
const WORKER: &str = "attune-test";

struct OneFolder;

#[async_trait]
impl PackFolders for OneFolder {
    async fn folder(
        &self,
        _tenant: TenantId,
        digest: &str,
    ) -> StoreResult<Result<PathBuf, String>> {
        Ok(Ok(PathBuf::from("/packs").join(digest)))
    }
}

/// Of a world without keys.
struct NoVault;

#[async_trait]
impl Vault for NoVault {
    async fn seal(&self, _: Scope, _: Place<'_>, _: &[u8]) -> Result<Sealed, VaultError> {
        Err(VaultError::Damaged)
    }

    async fn open(&self, _: Scope, _: Place<'_>, _: &Sealed) -> Result<Vec<u8>, VaultError> {
        Err(VaultError::Damaged)
    }

    async fn rotate_data_key(&self, _: Scope) -> Result<DataKeyId, VaultError> {
        Err(VaultError::Damaged)
    }

    async fn rotate_master_key(&self) -> Result<MasterRotation, VaultError> {
        Err(VaultError::Damaged)
    }

    async fn state(&self, _: Scope) -> Result<VaultState, VaultError> {
        Err(VaultError::Damaged)
    }
}

pub(crate) struct World {
    pub(crate) orchestrator: Orchestrator,
    pub(crate) runner: Arc<ScriptedRunner>,
    pub(crate) started: mpsc::UnboundedReceiver<Job>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) principal: Principal,
    pub(crate) runnable: RunnableAction,
    folder: Option<Arc<TempDir>>,
}

impl World {
    pub(crate) async fn new(places: usize) -> World {
        World::with(places, OnLost::Abandon).await
    }

    pub(crate) async fn with(places: usize, on_lost: OnLost) -> World {
        let folder = Arc::new(TempDir::new().unwrap());
        let clock = Arc::new(SimClock::new());
        let store = open(&folder).await;
        let action = test_action(&*store, &clock, on_lost).await;
        World::start(Some(folder), store, clock, action, ScriptedRunner::new(places), WORKER).await
    }

    /// Another process of the same server on the same database.
    pub(crate) async fn restarted(&self, places: usize) -> World {
        let (folder, clock) = (self.folder.clone(), self.clock.clone());
        let store = open(folder.as_ref().unwrap()).await;
        let action = (self.principal.clone(), self.runnable.clone());
        World::start(folder, store, clock, action, ScriptedRunner::new(places), WORKER).await
    }

    /// The loops of a server with this worker over a database in which the test's action is
    /// installed. `folder`, where the database lies, is kept for as long.
    pub(crate) async fn start(
        folder: Option<Arc<TempDir>>,
        store: Arc<dyn Store>,
        clock: Arc<SimClock>,
        (principal, runnable): (Principal, RunnableAction),
        (runner, started): (Arc<ScriptedRunner>, mpsc::UnboundedReceiver<Job>),
        worker_name: &str,
    ) -> World {
        let settings = Settings {
            worker_name: worker_name.into(),
            home: format!("home of {worker_name}"),
            lease: Duration::from_secs(10),
            watches: true,
            places: u32::try_from(runner.places()).unwrap(),
            runtimes: Vec::new(),
            limits: Limits::default(),
            http: HttpLimits::default(),
            max_wall: Duration::from_hours(1),
            drain: Duration::from_secs(30),
            native: NativePolicy { allowed: false, embedded: principal.scope().tenant() },
            api_url: "http://127.0.0.1:8080".into(),
        };
        let parts = Parts {
            store: store.clone(),
            runner: Some(runner.clone()),
            native: Err("this world has none".into()),
            vault: Arc::new(NoVault),
            folders: Arc::new(OneFolder),
            clock: clock.clone(),
            settings,
        };
        let orchestrator = Orchestrator::start(parts).await.unwrap();
        World { orchestrator, runner, started, store, clock, principal, runnable, folder }
    }

    pub(crate) fn scope(&self) -> Scope {
        self.principal.scope()
    }

    pub(crate) fn request(&self, config: &Json) -> ExecutionRequest {
        ExecutionRequest {
            runnable: self.runnable.clone(),
            config: config.as_object().cloned(),
            env_vars: BTreeMap::new(),
            permission_set_refs: None,
            extra: JsonObject::new(),
            idempotency: None,
        }
    }

    pub(crate) async fn try_submit(&self) -> Result<Execution, SubmitError> {
        self.orchestrator.submit(&self.principal, self.request(&json!({"n": 1}))).await
    }

    pub(crate) async fn submit(&self) -> Execution {
        self.try_submit().await.unwrap()
    }

    /// The execution once it has ended.
    pub(crate) async fn end_of(&self, id: ExecutionId) -> Execution {
        let ended = self.orchestrator.wait_for_end(self.scope(), id, Duration::from_hours(24));
        soon(ended).await.unwrap().unwrap()
    }

    pub(crate) async fn status(&self, id: ExecutionId) -> ExecutionStatus {
        self.store.execution(self.scope(), id).await.unwrap().unwrap().state.status
    }

    /// What comes of `wait` when the clock goes on.
    pub(crate) async fn as_time_passes<T>(&self, wait: impl Future<Output = T>) -> T {
        let passing = async {
            loop {
                self.clock.advance(Duration::from_secs(1));
                // For the database, which lives in real time.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon(async {
            tokio::select! {
                result = wait => result,
                never = passing => never,
            }
        })
        .await
    }

    /// The job of the run that starts next.
    pub(crate) async fn next_start(&mut self) -> Job {
        soon(self.started.recv()).await.unwrap()
    }
}

/// Waits for a fact that the loops bring about by themselves.
pub(crate) async fn soon<T>(fact: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, fact).await.expect("it should have happened by now")
}

/// Statuses of executions, as they are announced, up to a terminal one.
pub(crate) async fn announced(watch: &mut broadcast::Receiver<Notice>) -> Vec<ExecutionStatus> {
    let mut statuses = Vec::new();
    while statuses.last().is_none_or(|status: &ExecutionStatus| !status.is_terminal()) {
        if let Notice::Execution(notice) = soon(watch.recv()).await.unwrap() {
            assert_eq!(notice.old_status, statuses.last().copied());
            statuses.push(notice.status);
        }
    }
    statuses
}

async fn open(folder: &TempDir) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&folder.path().join("attune.db")).await.unwrap())
}

/// The action of the tests and who runs it; both are made where they are not there yet.
pub(crate) async fn test_action(
    store: &dyn Store,
    clock: &SimClock,
    on_lost: OnLost,
) -> (Principal, RunnableAction) {
    let principal = sign_in(store, clock).await;
    let installed = store.runnable_action(principal.scope(), ACTION).await.unwrap();
    let runnable = match installed {
        Some(runnable) => runnable,
        None => install(store, clock, principal.scope(), on_lost).await,
    };
    (principal, runnable)
}

async fn sign_in(store: &dyn Store, clock: &SimClock) -> Principal {
    let known = store.identity_by_login(LOGIN).await.unwrap();
    let identity = if let Some(identity) = known {
        identity
    } else {
        let new = NewIdentity {
            tenant: store.embedded_tenant().await.unwrap().id,
            login: LOGIN.into(),
            display_name: None,
            password_hash: None,
            permission_sets: Vec::new(),
        };
        store.create_identity(new, clock.now()).await.unwrap()
    };
    Principal::authenticated(&identity, TokenKind::Access, Vec::new())
}

async fn install(
    store: &dyn Store,
    clock: &SimClock,
    scope: Scope,
    on_lost: OnLost,
) -> RunnableAction {
    let action = NewAction {
        reference: ACTION.into(),
        label: "Act".into(),
        description: None,
        entrypoint: "act.py".into(),
        runtime_ref: Some("core.python".into()),
        param_schema: Some(json!({"n": {"type": "integer", "required": true}})),
        out_schema: None,
        is_adhoc: false,
        accesses_mcp: false,
        default_permission_sets: Vec::new(),
        extra: json!({}),
        run: RunSpec { on_lost, ..RunSpec::default() },
    };
    let pack = NewPack {
        reference: "test".into(),
        label: "Test".into(),
        description: None,
        version: "1".into(),
        conf_schema: json!({}),
        config: json!({}),
        meta: json!({}),
        tags: Vec::new(),
        runtime_deps: Vec::new(),
        dependencies: Vec::new(),
        is_standard: false,
        created_by: None,
    };
    let archive = PackArchive { digest: "d1".into(), bytes: Bytes::from_static(b"files") };
    let install = PackInstall {
        pack,
        actions: vec![action],
        permission_sets: Vec::new(),
        archive,
        force: false,
    };
    store.install_pack(scope, install, clock.now()).await.unwrap();
    store.runnable_action(scope, ACTION).await.unwrap().unwrap()
}
