//! The work of a bound runner: many runs at once, on one thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use attune_domain::runner::PARAMETER_FILE;
use bytes::Bytes;
use futures::StreamExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;
use wasmtime::error::Context;
use wasmtime::{Result, bail};

use super::exchanges::Exchanges;
use super::instance::{Functions, Instance, View};
use super::outbox::Outbox;
use super::output::Output;
use super::primed;
use super::run::{self, Connection};
use super::ticker::Ticker;
use super::turns::Turns;
use super::{Runner, Socket};
use crate::confine;
use crate::protocol::{FromRunner, MAX_FRAME_TO_RUNNER, Run, RunId, ToRunner, codec, decode};

/// What all runs of this process share.
struct Shared {
    store: Rc<primed::Store>,
    turns: Rc<Turns>,
    ticker: Ticker,
    outbox: Outbox,
    live: RefCell<HashMap<RunId, Live>>,
}

/// The handles to a run that messages of the server use.
struct Live {
    stop: CancellationToken,
    output: Output,
    exchanges: Exchanges,
}

/// Serves until the server hangs up; then there is nobody to run anything for.
pub(super) async fn serve(runner: Runner, socket: Socket, scratch: PathBuf) -> Result<()> {
    let Runner { engine, runtimes, primed } = runner;
    let (reader, writer) = split(socket);
    let ticker = Ticker::start(engine)?;
    // After the epoch's thread was made, which must get the processor when a guest has it.
    confine::step_back().context("cannot step back")?;
    let store = Rc::new(primed::Store::new(runtimes, primed, scratch)?);
    let outbox = Outbox::new(writer);
    let shared =
        Rc::new(Shared { store, turns: Rc::default(), ticker, outbox, live: RefCell::default() });
    let refill = shared.clone();
    tokio::task::spawn_local(async move { refill.store.keep_filled(&refill.ticker).await });
    listen(&shared, reader).await
}

type Reader = FramedRead<OwnedReadHalf, LengthDelimitedCodec>;
type Writer = FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>;

fn split(socket: Socket) -> (Reader, Writer) {
    let parts = socket.into_parts();
    let stream: UnixStream = parts.io;
    let (reader, writer) = stream.into_split();
    let mut reader = FramedRead::new(reader, codec(MAX_FRAME_TO_RUNNER));
    // What was read ahead of the last message belongs to the next.
    reader.read_buffer_mut().extend_from_slice(&parts.read_buf);
    (reader, FramedWrite::new(writer, codec(MAX_FRAME_TO_RUNNER)))
}

async fn listen(shared: &Rc<Shared>, mut reader: Reader) -> Result<()> {
    while let Some(frame) = reader.next().await {
        let (message, body) = decode(frame?).context("a message that cannot be decoded")?;
        match message {
            ToRunner::Run(run) => shared.start(run, body),
            ToRunner::Stop { run } => {
                if let Some(live) = shared.live.borrow().get(&run) {
                    live.stop.cancel();
                }
            }
            ToRunner::Consumed { run, bytes } => {
                if let Some(live) = shared.live.borrow().get(&run) {
                    live.output.consumed(bytes);
                }
            }
            ToRunner::Http { run, exchange, answer } => {
                if let Some(live) = shared.live.borrow().get(&run) {
                    live.exchanges.hear(exchange, answer, body);
                }
            }
            other => bail!("unexpected message to a bound runner: {other:?}"),
        }
    }
    Ok(())
}

impl Shared {
    fn start(self: &Rc<Self>, run: Run, mut body: Bytes) {
        let output = Output::new(run.id, &run.limits, self.outbox.clone());
        let stop = CancellationToken::new();
        let exchanges = Exchanges::new(run.id, run.exchanges, self.outbox.clone());
        let live =
            Live { stop: stop.clone(), output: output.clone(), exchanges: exchanges.clone() };
        self.live.borrow_mut().insert(run.id, live);
        let file_at = run.parameter_file_at.filter(|at| *at <= body.len());
        let parameter_file = file_at.map(|at| body.split_off(at));
        let (outbox, compiled) = (self.outbox.clone(), self.store.compiled().clone());
        let connection = Connection { stdin: body, output, exchanges, stop, outbox, compiled };
        tokio::task::spawn_local(self.clone().run(run, parameter_file, connection));
    }

    async fn run(self: Rc<Self>, run: Run, parameter_file: Option<Bytes>, connection: Connection) {
        let _running = self.store.begin_run();
        let turn = self.turns.begin();
        let _ticking = self.ticker.tick_while();
        let id = run.id;
        let (report, response, instance) = match self.prepare(&run, parameter_file).await {
            Ok((mut instance, functions)) => {
                match run::run(&mut instance, functions, run, connection, turn).await {
                    Ok((report, response)) => (report, response, Some(instance)),
                    // The server is gone, and `listen` ends this process.
                    Err(_) => return,
                }
            }
            Err(error) => (run::not_set_up(&error), String::new(), None),
        };
        self.live.borrow_mut().remove(&id);
        let ended = FromRunner::Ended { run: id, report };
        // The answer leaves before the cleaning up begins; without a server, just clean up.
        let _gone = self.outbox.send(&ended, response.as_bytes()).await;
        if let Some(instance) = instance {
            instance.dispose().await;
        }
    }

    /// An instance around the run's folders: a primed one, else a fresh one.
    async fn prepare(
        &self,
        run: &Run,
        parameter_file: Option<Bytes>,
    ) -> Result<(Instance, Functions)> {
        let runtime = self.store.runtime(run.runtime).context("this runtime is not installed")?;
        let view = View { pack: &run.pack_folder, limits: &run.limits };
        let mut instance = match self.store.take(run.runtime) {
            Some(mut primed) => {
                primed.rebind(view)?;
                primed
            }
            None => runtime.instantiate(view, self.store.scratch()).await?,
        };
        if let Some(content) = parameter_file {
            instance.give_file(PARAMETER_FILE, &content)?;
        }
        let functions = runtime.run(&mut instance)?;
        Ok((instance, functions))
    }
}
