//! The runner: a process that runs guests for one tenant, and knows nothing else.
//!
//! It is started with nothing but a socket, its standard input: the one
//! descriptor that the server can hand over without unsafe code. It builds its
//! engine and maps the compiled code while it still has rights, is bound to a
//! tenant, gives its rights up for good, and only then makes a second thread
//! and meets guest code.

mod compiled;
pub(crate) mod exchanges;
mod instance;
pub(crate) mod outbox;
pub(crate) mod output;
mod primed;
mod run;
mod serve;
mod ticker;
mod turns;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use attune_domain::runner::Runtime;
use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use tokio::runtime::LocalOptions;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use wasmtime::error::Context;
use wasmtime::{Engine, Result, bail};

use self::instance::LoadedRuntime;
use crate::confine;
use crate::engine::{self, image};
use crate::protocol::{FromRunner, MAX_FRAME_TO_RUNNER, ToRunner, codec, decode, encode};

/// The script that primes an instance, in a folder that the runner makes for it.
pub(crate) const PRIME_FILE: &str = "prime.py";
const PRIME_SCRIPT: &str = include_str!("../../../../runtimes/python/prime/prime.py");

/// Instances that a process needs which only compiles.
const NO_INSTANCES: u32 = 1;

/// The connection while there is one message at a time.
type Socket = Framed<tokio::net::UnixStream, LengthDelimitedCodec>;

/// What a loaded runner is made of.
struct Runner {
    engine: Engine,
    runtimes: Vec<(Runtime, LoadedRuntime)>,
    primed: u32,
}

/// The whole life of a runner process; the hidden subcommand is nothing but this.
pub fn runner_main() -> ExitCode {
    match live() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The runner's only words that are not a message; the server shares its standard error.
#[expect(clippy::print_stderr, reason = "a runner has no other way to say why it ends")]
fn complain(error: &wasmtime::Error) {
    eprintln!("attune runner: {error:#}");
}

fn live() -> Result<()> {
    confine::prepare().context("cannot drop privileges")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Look at the socket and the timers between any two polls: a poll of a
        // busy guest takes a millisecond, and the default is 61 of them.
        .event_interval(1)
        .build_local(LocalOptions::default())?;
    let result = runtime.block_on(async { talk(connect()?).await });
    // Files of guests may be in other threads' hands; there is nothing to wait for.
    runtime.shutdown_background();
    result
}

fn connect() -> Result<Socket> {
    let inherited = std::io::stdin().as_fd().try_clone_to_owned()?;
    let socket = UnixStream::from(inherited);
    socket.set_nonblocking(true).context("standard input is not the server's socket")?;
    Ok(Framed::new(tokio::net::UnixStream::from_std(socket)?, codec(MAX_FRAME_TO_RUNNER)))
}

/// Serves the server until it hangs up.
async fn talk(mut socket: Socket) -> Result<()> {
    let mut loaded = None;
    while let Some((message, body)) = next(&mut socket).await? {
        match message {
            ToRunner::Find { cache, digest } => {
                let found = engine::new(NO_INSTANCES)
                    .and_then(|engine| image::find(&engine, &cache, &digest));
                answer(&mut socket, &FromRunner::Found(found.map_err(in_words))).await?;
            }
            ToRunner::Compile { cache, digest } => {
                let compiled = engine::new(NO_INSTANCES)
                    .and_then(|engine| image::compile(&engine, &cache, &digest, &body));
                answer(&mut socket, &FromRunner::Compiled(compiled.map_err(in_words))).await?;
            }
            ToRunner::Load { images, places, primed } => {
                let result = load(&images, places, primed).map(|runner| loaded = Some(runner));
                answer(&mut socket, &FromRunner::Loaded(result.map_err(in_words))).await?;
            }
            ToRunner::Bind { folders, confinement } => {
                let runner = loaded.take().context("bound before anything was loaded")?;
                let bound = confine::enter(&folders, confinement);
                let is_bound = bound.is_ok();
                let bound = bound.map_err(|error| error.to_string());
                answer(&mut socket, &FromRunner::Bound(bound)).await?;
                if is_bound {
                    return serve::serve(runner, socket, folders.scratch).await;
                }
            }
            other => bail!("unexpected message before the runner is bound: {other:?}"),
        }
    }
    Ok(())
}

fn load(images: &[(Runtime, PathBuf)], places: u32, primed: u32) -> Result<Runner> {
    // One more for the instance that is being primed.
    let engine = engine::new(places + primed + 1)?;
    let mut runtimes = Vec::new();
    for (runtime, path) in images {
        let component = image::load(&engine, path)?;
        runtimes.push((*runtime, LoadedRuntime::new(&engine, &component)?));
    }
    Ok(Runner { engine, runtimes, primed })
}

async fn next(socket: &mut Socket) -> Result<Option<(ToRunner, Bytes)>> {
    let Some(frame) = socket.next().await else { return Ok(None) };
    let frame: BytesMut = frame?;
    Ok(Some(decode(frame).context("a message that cannot be decoded")?))
}

async fn answer(socket: &mut Socket, message: &FromRunner) -> Result<()> {
    Ok(socket.send(encode(message, &[])).await?)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn in_words(error: wasmtime::Error) -> String {
    format!("{error:#}")
}
