//! A router over a fresh database, and people with the grants that a test gives them.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use attune_api::{ApiParts, ApiSettings, InsideApi, SecretBytes, hash_password, router};
use attune_catalog::{ArchiveLimits, Catalog, archive_directory};
use attune_domain::Json;
use attune_domain::access::{PermissionSet, Scope};
use attune_domain::clock::{Clock, Timestamp};
use attune_domain::egress::{API_TOKEN, Caller, HttpLimits, Inside};
use attune_domain::identity::NewIdentity;
use attune_domain::limits::Limits;
use attune_domain::native::NativePolicy;
use attune_domain::pack::{NewPack, PackArchive, PackInstall};
use attune_domain::store::{IdentityStore, PackStore};
use attune_orchestrator::{Orchestrator, Parts, Settings};
use attune_store::SqliteStore;
use attune_vault::{KeyVault, Source};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode};
use chrono::DateTime;
use futures::StreamExt;
use futures::future::BoxFuture;
use serde_json::json;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::idle_runner::IdleRunner;

const PASSWORD: &str = "a password for everybody";

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

pub(crate) struct World {
    pub(crate) store: Arc<SqliteStore>,
    router: Router,
    inside: InsideApi,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> World {
        let folder = TempDir::new().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("attune.db")).await.unwrap());
        let clock = Arc::new(StoppedClock);
        let packs = folder.path().join("packs");
        let limits = ArchiveLimits::default();
        let catalog = Catalog::new(store.clone(), clock.clone(), packs, limits).unwrap();
        let catalog = Arc::new(catalog);
        let source = Source::File { path: folder.path().join("master.key"), made: true };
        let vault = KeyVault::start(source, store.clone(), clock.clone()).await.unwrap();
        let vault = Arc::new(vault);
        let embedded = store.embedded_tenant().await.unwrap().id;
        let orchestrator = Orchestrator::start(Parts {
            store: store.clone(),
            runner: Some(Arc::new(IdleRunner)),
            native: Err("not in this world".into()),
            vault: vault.clone(),
            folders: catalog.clone(),
            clock: clock.clone(),
            settings: Settings {
                home: "home".into(),
                lease: Duration::from_secs(10),
                watches: true,
                places: 1,
                runtimes: Vec::new(),
                worker_name: "attune-test".into(),
                limits: Limits::default(),
                http: HttpLimits::default(),
                max_wall: Duration::from_hours(1),
                drain: Duration::ZERO,
                native: NativePolicy { allowed: false, embedded },
                api_url: "http://127.0.0.1:8080".into(),
            },
        });
        let parts = ApiParts {
            store: store.clone(),
            orchestrator: orchestrator.await.unwrap(),
            catalog,
            vault,
            clock,
            exposition: Arc::new(|| Box::pin(async { "measured 1\n".to_owned() })),
            settings: ApiSettings::new(SecretBytes::new("a secret of the tests"), "1"),
        };
        let (inside, router) = (InsideApi::new(parts.clone()), router(parts));
        World { store, router, inside, _folder: folder }
    }

    /// Somebody who holds these grants, signed in. A set of the same name holds them, too.
    pub(crate) async fn person(&self, name: &str, grants: Json) -> Person<'_> {
        let set = self.add_set(name, grants).await;
        let new = NewIdentity {
            tenant: self.store.embedded_tenant().await.unwrap().id,
            login: name.to_owned(),
            display_name: None,
            password_hash: Some(hash_password(PASSWORD.to_owned()).await.unwrap()),
            permission_sets: vec![set],
        };
        self.store.create_identity(new, StoppedClock.now()).await.unwrap();
        let nobody = Person { world: self, token: String::new() };
        let body = json!({"login": name, "password": PASSWORD});
        let (status, answer) = nobody.post("/auth/login", &body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        Person { world: self, token: answer["data"]["access_token"].as_str().unwrap().to_owned() }
    }

    /// Installs a pack `<name>_sets` that brings the set `<name>_sets.all`; returns its ref.
    pub(crate) async fn add_set(&self, name: &str, grants: Json) -> String {
        let scope = Scope::of_tenant(&self.store.embedded_tenant().await.unwrap());
        let reference = format!("{name}_sets");
        let set = PermissionSet {
            reference: format!("{reference}.all"),
            label: None,
            description: None,
            grants,
        };
        let install = PackInstall {
            archive: PackArchive { digest: reference.clone(), bytes: Bytes::new() },
            pack: new_pack(reference),
            actions: Vec::new(),
            permission_sets: vec![set.clone()],
            force: false,
        };
        self.store.install_pack(scope, install, StoppedClock.now()).await.unwrap();
        set.reference
    }
}

impl World {
    pub(crate) async fn scope(&self) -> Scope {
        Scope::of_tenant(&self.store.embedded_tenant().await.unwrap())
    }

    /// What an execution is answered that sends a request with its token.
    pub(crate) async fn inside_answer(
        &self,
        caller: &Caller,
        method: &str,
        path: &str,
        body: &Json,
    ) -> (StatusCode, Json) {
        let bytes = Bytes::from(body.to_string());
        let body: attune_domain::egress::Body =
            Box::pin(futures::stream::once(async move { Ok(bytes) }));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {API_TOKEN}"))
            .header("content-type", "application/json")
            .body(Some(body))
            .unwrap();
        let response = self.inside.serve(caller, request).await.unwrap();
        let status = response.status();
        let parts: Vec<_> = response.into_body().collect().await;
        let bytes: Vec<u8> = parts.into_iter().flat_map(|part| part.unwrap()).collect();
        (status, serde_json::from_slice(&bytes).unwrap())
    }
}

fn new_pack(reference: String) -> NewPack {
    NewPack {
        label: reference.clone(),
        reference,
        description: None,
        version: "1".to_owned(),
        conf_schema: json!({}),
        config: json!({}),
        meta: json!({}),
        tags: Vec::new(),
        runtime_deps: Vec::new(),
        dependencies: Vec::new(),
        is_standard: false,
        created_by: None,
    }
}

/// The answers to one caller's requests.
pub(crate) struct Person<'w> {
    world: &'w World,
    token: String,
}

impl Person<'_> {
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Json) {
        self.send("GET", path, "text/plain", Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Json) -> (StatusCode, Json) {
        self.send("POST", path, "application/json", Body::from(body.to_string())).await
    }

    /// Uploads a pack of these files.
    pub(crate) async fn upload(&self, files: &[(&str, &str)], force: bool) -> (StatusCode, Json) {
        let part = |name: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").into_bytes()
        };
        let archive = archive(files);
        let force = force.to_string();
        let form: [&[u8]; 6] =
            [&part("pack"), &archive, b"\r\n", &part("force"), force.as_bytes(), b"\r\n--b--\r\n"];
        let content_type = "multipart/form-data; boundary=b";
        self.send("POST", "/api/v1/packs/upload", content_type, Body::from(form.concat())).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Json) -> (StatusCode, Json) {
        self.send("PUT", path, "application/json", Body::from(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (StatusCode, Json) {
        self.send("DELETE", path, "text/plain", Body::empty()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Body,
    ) -> (StatusCode, Json) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", content_type)
            .body(body)
            .unwrap();
        let response = self.world.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

fn archive(files: &[(&str, &str)]) -> Bytes {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    archive_directory(folder.path()).unwrap()
}
