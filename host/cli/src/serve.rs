//! The life of the server: start, ready, drain, end.

use std::io::{self, Write};
use std::net::SocketAddr;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::bootstrap::Generated;
use crate::config::Config;
use crate::config::environment::{self, Bootstrap};
use crate::failure::{Exit, Failure};
use crate::telemetry::measurements::Measurements;
use crate::wire::Secrets;
use crate::{telemetry, wire};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Exit code of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// Runs the server until it is told to stop.
pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    forbid_dumps();
    let (admin, jwt) = (environment::bootstrap()?, environment::jwt_secret()?);
    let secrets = Secrets { jwt, master_key: environment::master_key() };
    telemetry::start(config)?;
    // The port is taken before the slow steps, and listened on after them: one that is
    // in use is told at once, and no client hangs on a server that is not there yet.
    let ports = Ports::take(config)?;
    let measurements = Measurements::start()?;
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the server's threads cannot be started")?;
    Ok(runtime.block_on(serve(config, admin, secrets, ports, measurements))?)
}

async fn serve(
    config: &Config,
    admin: Bootstrap,
    secrets: Secrets,
    ports: Ports,
    measurements: Measurements,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    tokio::spawn(measurements.clone().keep_sorted());
    let server = tokio::select! {
        built = wire::start(config, secrets, ports.api.local_addr()?, measurements) => built?,
        () = signals.next() => return Ok(()),
    };
    // After the slow steps: a machine that cannot run the server gets no administrator.
    server.ensure_admin(admin, announce_admin).await?;
    let listeners = ports.listen()?;
    announce(&listeners)?;
    server
        .serve(listeners, async move {
            signals.next().await;
            tokio::spawn(exit_on_second_signal(signals));
        })
        .await
}

/// Ports that are taken, and not listened on yet.
struct Ports {
    api: TcpSocket,
    metrics: Option<TcpSocket>,
}

impl Ports {
    fn take(config: &Config) -> Result<Ports, Failure> {
        let api = take_port(config.listen, "--listen")?;
        let metrics = config.metrics_listen.map(|address| take_port(address, "--metrics-listen"));
        Ok(Ports { api, metrics: metrics.transpose()? })
    }

    fn listen(self) -> anyhow::Result<Listeners> {
        let listen =
            |socket: TcpSocket| socket.listen(BACKLOG).context("the port cannot be listened on");
        Ok(Listeners { api: listen(self.api)?, metrics: self.metrics.map(listen).transpose()? })
    }
}

/// Where clients are heard.
pub(crate) struct Listeners {
    pub(crate) api: TcpListener,
    /// Of metrics and health alone.
    pub(crate) metrics: Option<TcpListener>,
}

fn take_port(address: SocketAddr, flag: &str) -> Result<TcpSocket, Failure> {
    bind(address).map_err(|error| {
        Failure::new(Exit::Failed, format_args!("cannot listen on {address}: {error}"))
            .remedy(format_args!("free the port, or choose another with {flag} 127.0.0.1:PORT"))
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Without it a restart would wait for the last connections of the old server.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The lines on stdout that people copy credentials from.
fn announce_admin(generated: &Generated) -> io::Result<()> {
    let Generated { login, password } = generated;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "first start: the administrator's credentials; this is shown only once")?;
    writeln!(stdout, "  login:    {login}\n  password: {}", password.expose())?;
    stdout.flush()
}

/// The last line on stdout is what people and scripts wait for.
fn announce(listeners: &Listeners) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if let Some(metrics) = &listeners.metrics {
        writeln!(stdout, "metrics for everybody on http://{}/metrics", metrics.local_addr()?)?;
    }
    writeln!(stdout, "attune is ready on http://{}", listeners.api.local_addr()?)?;
    stdout.flush()
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Signals> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Signals { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Whoever asks twice does not want to wait for running work.
async fn exit_on_second_signal(mut signals: Signals) {
    signals.next().await;
    tracing::warn!("second signal: exiting at once");
    std::process::exit(INTERRUPTED);
}

/// What the server has in memory, secrets in the clear among it, must not end up in a file. Of 1
/// byte rather than 0: programs that take dumps from a pipe get one with a limit of 0 (core(5)).
fn forbid_dumps() {
    let most = Some(1);
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: most, maximum: most }) {
        tracing::debug!(%error, "the limit of core dumps stays as it was");
    }
}

/// Connections and runners need more files than the usual soft limit of 1024.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
