//! The composition root: the one place that knows which store, which runner and which
//! clock the server has, and in which order they start and end.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use attune_api::{ApiParts, ApiSettings, InsideApi, SecretBytes};
use attune_catalog::Catalog;
use attune_domain::access::Scope;
use attune_domain::clock::Clock;
use attune_domain::native::{NativePolicy, NativeRunner};
use attune_domain::runner::{Runner, Runtime};
use attune_domain::store::Store;
use attune_domain::vault::Vault;
use attune_domain::worker::RuntimeSupport;
use attune_egress::Broker;
use attune_native::Native;
use attune_orchestrator::Orchestrator;
use attune_sandbox::{RuntimeImage, Sandbox};
use attune_vault::{KeyVault, Source};
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::NATIVE_LAUNCHER;
use crate::bootstrap::{self, Generated};
use crate::clock::SystemClock;
use crate::config::environment::Bootstrap;
use crate::config::{Config, Confinement, Role, Switch};
use crate::data_dir::DataDir;
use crate::embedded;
use crate::secret::Secret;
use crate::serve::Listeners;
use crate::telemetry::measurements::Measurements;

/// What clients get to take answers that are ready, once all work has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// A server that is ready to serve.
pub(crate) struct Server {
    parts: ApiParts,
    orchestrator: Orchestrator,
    sandbox: Option<Arc<Sandbox>>,
    native: Option<Arc<Native>>,
    broker: Arc<Broker>,
    store: Arc<dyn Store>,
    /// Held until the end: no other server may use the folder.
    _data: DataDir,
}

/// The secrets that the environment gave.
pub(crate) struct Secrets {
    /// Signs tokens.
    pub(crate) jwt: Option<Secret>,
    /// Wraps the keys of stored values.
    pub(crate) master_key: Option<Secret>,
}

/// Starts everything but the port. `address` is where the API will be.
pub(crate) async fn start(
    config: &Config,
    secrets: Secrets,
    address: SocketAddr,
    measurements: Measurements,
) -> anyhow::Result<Server> {
    let data = DataDir::take(&config.data_dir)?;
    let jwt = secrets.jwt.map_or_else(|| data.jwt_secret(), Ok)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = config.database();
    let store = database.open(config.database_connections).await;
    let store = store.with_context(|| format!("database {database} cannot be opened"))?;
    agree_on_secret(&*store, &jwt).await?;
    let master_key = master_key(config, secrets.master_key, &data)?;
    let vault = KeyVault::start(master_key, store.clone(), clock.clone())
        .await
        .context("stored values cannot be opened")?;
    let vault: Arc<dyn Vault> = Arc::new(vault);
    let catalog = start_catalog(config, store.clone(), clock.clone(), &data).await?;
    let broker = Broker::start(&(&config.egress).into(), store.clone(), clock.clone())
        .context("actions have no way into the network")?;
    let broker = Arc::new(broker);
    let sandbox = if config.has(Role::Runner) {
        Some(start_sandbox(config, &data, broker.clone()).await?)
    } else {
        None
    };
    let embedded = store.embedded_tenant().await?.id;
    let policy = NativePolicy { allowed: config.native.runs == Switch::On, embedded };
    let native = start_native(config, &data, broker.clone());
    let orchestrator = Orchestrator::start(attune_orchestrator::Parts {
        store: store.clone(),
        runner: sandbox.clone().map(|sandbox| sandbox as Arc<dyn Runner>),
        native: native.clone().map(|native| native as Arc<dyn NativeRunner>),
        vault: vault.clone(),
        folders: catalog.clone(),
        clock: clock.clone(),
        settings: orchestrator_settings(config, address, data.id()?, policy),
    })
    .await
    .context("the work that an earlier server left cannot be taken up")?;
    let parts = ApiParts {
        store: store.clone(),
        orchestrator: orchestrator.clone(),
        catalog,
        vault,
        clock,
        exposition: measurements.exposition(orchestrator.clone(), sandbox.clone()),
        settings: api_settings(config, &jwt),
    };
    let authority = reachable(address).to_string();
    let authority = authority.parse().context("the address of the API has no authority")?;
    broker.serve_inside(authority, Arc::new(InsideApi::new(parts.clone())));
    Ok(Server { parts, orchestrator, sandbox, native: native.ok(), broker, store, _data: data })
}

/// Where the master key comes from: one place, so that nobody wonders which one counts.
fn master_key(config: &Config, given: Option<Secret>, data: &DataDir) -> anyhow::Result<Source> {
    let named = config.master_key_file.is_some() || config.master_key_command.is_some();
    match given {
        Some(_) if named => anyhow::bail!(
            "ATTUNE_MASTER_KEY is set beside --master-key-file or --master-key-command: give one \
             of them"
        ),
        Some(given) => return Ok(Source::Text(given.expose().to_owned().into())),
        None => {}
    }
    if let Some(command) = &config.master_key_command {
        return Ok(Source::Command(command.clone()));
    }
    Ok(match &config.master_key_file {
        Some(path) => Source::File { path: path.clone(), made: false },
        None => Source::File { path: data.join("master.key"), made: true },
    })
}

/// Servers that share a database sign tokens with one secret.
async fn agree_on_secret(store: &dyn Store, jwt: &Secret) -> anyhow::Result<()> {
    const NAME: &str = "fingerprint of the signing secret";
    let own = attune_api::fingerprint(&SecretBytes::new(jwt.expose()))
        .context("the signing secret cannot be used")?;
    if !store.is_shared() || store.agreed(NAME, &own).await? == own {
        return Ok(());
    }
    if !store.pulses().await?.is_empty() {
        anyhow::bail!(
            "the secret that signs tokens is not that of the other servers on this database: \
             give all of them the same one in ATTUNE_JWT_SECRET"
        );
    }
    tracing::info!("the secret that signs tokens has changed: tokens issued before are void");
    Ok(store.agree(NAME, &own).await?)
}

impl Server {
    /// Sees to it that somebody can sign in; `show` is given a password that was made up.
    pub(crate) async fn ensure_admin(
        &self,
        given: Bootstrap,
        show: impl FnOnce(&Generated) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        bootstrap::ensure_admin(&*self.store, &*self.parts.clock, given, show).await
    }

    /// Serves the API until `stop` resolves, lets running work finish, and closes everything.
    pub(crate) async fn serve(
        self,
        listeners: Listeners,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        // Not told to stop: it shows until the end what the server still does.
        let metrics = listeners
            .metrics
            .map(|listener| tokio::spawn(attune_api::serve_metrics(listener, self.parts.clone())));
        let (stop_api, api_stopped) = oneshot::channel::<()>();
        // Cancelled by the sender's end just as well.
        let stopped = async move { drop(api_stopped.await) };
        let mut api = tokio::spawn(attune_api::serve(listeners.api, self.parts, stopped));
        tokio::select! {
            ended = &mut api => ended?.context("the API failed")?,
            () = stop => {}
        }
        tracing::info!("stopping: no new work; running work may finish");
        drop(stop_api);
        finish_work(&self.orchestrator, self.sandbox.as_deref(), self.native.as_deref()).await;
        // Every run has ended, so whoever waited for one has been answered.
        if tokio::time::timeout(LAST_ANSWERS, api).await.is_err() {
            tracing::warn!("some clients did not take their answers");
        }
        if let Some(metrics) = metrics {
            metrics.abort();
        }
        self.broker.settle().await;
        self.store.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Lets running work finish for as long as the settings allow, then stops the rest.
async fn finish_work(
    orchestrator: &Orchestrator,
    sandbox: Option<&Sandbox>,
    native: Option<&Native>,
) {
    let still_running = orchestrator.drain().await;
    if still_running > 0 {
        tracing::warn!(still_running, "the time to finish is over: stopping what still runs");
    }
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
    if let Some(native) = native {
        native.shutdown();
    }
    let unsettled = orchestrator.settle().await;
    if unsettled > 0 {
        tracing::warn!(
            unsettled,
            "the database takes no ends of runs: the next start settles them"
        );
    }
    orchestrator.leave().await;
}

async fn start_catalog(
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    data: &DataDir,
) -> anyhow::Result<Arc<Catalog>> {
    let shared = Scope::of_tenant(&store.shared_tenant().await?);
    let catalog = Catalog::new(store, clock, data.join("packs"), (&config.archive).into())
        .context("the folder of packs cannot be used")?;
    catalog
        .install_shipped(shared, Bytes::from_static(embedded::CORE_PACK))
        .await
        .context("the core pack cannot be installed")?;
    if let Err(error) = catalog.sweep().await {
        tracing::warn!(%error, "unused pack folders stay until the next start");
    }
    Ok(Arc::new(catalog))
}

async fn start_sandbox(
    config: &Config,
    data: &DataDir,
    broker: Arc<Broker>,
) -> anyhow::Result<Arc<Sandbox>> {
    let settings = attune_sandbox::Settings {
        args: vec!["runner".into()],
        runtimes: vec![RuntimeImage {
            runtime: Runtime::Python,
            digest: embedded::PYTHON_DIGEST.to_owned(),
            wasm: Cow::Borrowed(embedded::PYTHON_WASM),
        }],
        cache_dir: data.join("cache"),
        cache_bytes: config.cache_bytes,
        scratch_dir: data.join("scratch"),
        packs_dir: data.join("packs"),
        runners: config.runners.unwrap_or_else(cores),
        spare: config.spare_runners,
        places_per_runner: config.places_per_runner,
        primed_per_runner: config.primed,
        confinement: match config.confinement {
            Confinement::Required => attune_sandbox::Confinement::Required,
            Confinement::BestEffort => attune_sandbox::Confinement::BestEffort,
        },
        idle_retire: Duration::from_mins(1),
        start_patience: Duration::from_secs(30),
    };
    Sandbox::start(settings, broker).await.context("the sandbox cannot be started")
}

/// Native runs, or why this server has none: it does not need them.
fn start_native(
    config: &Config,
    data: &DataDir,
    broker: Arc<Broker>,
) -> Result<Arc<Native>, String> {
    if !config.has(Role::Runner) || config.native.runs == Switch::Off {
        return Err("they are switched off (--native-runs)".to_owned());
    }
    let settings = attune_native::Settings {
        args: vec![NATIVE_LAUNCHER.into()],
        required: Some(config.native.required()),
        max_processes: config.native.processes,
        ..attune_native::Settings::new(broker, config.native.interpreters(), data.join("packs"))
    };
    Native::start(settings).map_err(|problem| {
        tracing::warn!(%problem, "actions cannot run natively on this server");
        problem.to_string()
    })
}

fn orchestrator_settings(
    config: &Config,
    address: SocketAddr,
    home: String,
    native: NativePolicy,
) -> attune_orchestrator::Settings {
    attune_orchestrator::Settings {
        home,
        worker_name: config.worker_name(),
        lease: Duration::from_secs(config.lease_seconds),
        watches: config.has(Role::Orchestrator),
        places: if config.has(Role::Runner) { places(config) } else { 0 },
        runtimes: vec![RuntimeSupport {
            name: "python".to_owned(),
            versions: vec![embedded::PYTHON_VERSION.to_owned()],
        }],
        limits: (&config.limits).into(),
        http: (&config.limits).into(),
        max_wall: Duration::from_millis(config.max_wall_ms),
        drain: Duration::from_secs(config.drain_seconds),
        native,
        api_url: format!("http://{}", reachable(address)),
    }
}

fn api_settings(config: &Config, jwt: &Secret) -> ApiSettings {
    let secret = SecretBytes::new(jwt.expose());
    ApiSettings {
        health_only: !config.has(Role::Api),
        self_registration: config.self_registration == Switch::On,
        max_body_bytes: config.max_body_bytes,
        max_upload_bytes: config.max_upload_bytes,
        ..ApiSettings::new(secret, env!("CARGO_PKG_VERSION"))
    }
}

/// An address that a client on this machine can use: a wildcard is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Runs that this server may have at once.
fn places(config: &Config) -> u32 {
    let runners = config.runners.unwrap_or_else(cores);
    u32::try_from(runners.saturating_mul(config.places_per_runner)).unwrap_or(u32::MAX)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_reached_by_loopback() {
        let reached = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(reached("[::]:80"), "[::1]:80");
        assert_eq!(reached("10.1.2.3:80"), "10.1.2.3:80");
    }
}
