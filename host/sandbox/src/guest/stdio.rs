//! The standard streams of a guest.
//!
//! libc keeps the stream handles it was given at first, so a primed instance
//! writes to the same objects for the rest of its life. They are therefore only
//! views of one shared state, which [`Stdio::connect`] switches from nothing (priming)
//! to a run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use attune_domain::runner::Stream;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::runner::output::{Output, OverLimit};

/// Bytes of one write, and of one read.
const CHUNK: usize = 64 << 10;

/// The three streams of one instance.
#[derive(Clone)]
pub(crate) struct Stdio(Arc<Mutex<Ends>>);

struct Ends {
    stdin: Bytes,
    /// None while priming: what is written is lost.
    output: Option<Output>,
}

impl Stdio {
    /// Streams that lead nowhere.
    pub(crate) fn disconnected() -> Stdio {
        Stdio(Arc::new(Mutex::new(Ends { stdin: Bytes::new(), output: None })))
    }

    /// Leads the streams to a run.
    pub(crate) fn connect(&self, stdin: Bytes, output: Output) {
        *self.ends() = Ends { stdin, output: Some(output) };
    }

    pub(super) fn stdin(&self) -> impl StdinStream + 'static {
        Stdin(self.clone())
    }

    pub(super) fn stdout(&self) -> impl StdoutStream + 'static {
        Writer { stdio: self.clone(), stream: Stream::Stdout }
    }

    pub(super) fn stderr(&self) -> impl StdoutStream + 'static {
        Writer { stdio: self.clone(), stream: Stream::Stderr }
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn output(&self) -> Option<Output> {
        self.ends().output.clone()
    }
}

struct Stdin(Stdio);

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Stdin {
    /// Only asked for by WASI 0.3, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(Stdin(self.0.clone()))
    }
}

#[async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {}
}

impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut ends = self.0.ends();
        if ends.stdin.is_empty() {
            return Err(StreamError::Closed);
        }
        let size = size.min(CHUNK).min(ends.stdin.len());
        Ok(ends.stdin.split_to(size))
    }
}

#[derive(Clone)]
struct Writer {
    stdio: Stdio,
    stream: Stream,
}

impl IsTerminal for Writer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Writer {
    /// Only asked for by WASI 0.3, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Writer {
    /// Waits until the server has room again: a slow server slows the guest.
    async fn ready(&mut self) {
        if let Some(output) = self.stdio.output() {
            output.until_not_full().await;
        }
    }
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let Some(output) = self.stdio.output() else { return Ok(()) };
        // wasmtime leaves this check to the stream; without it a guest could fill our memory.
        if output.is_full() || bytes.len() > CHUNK {
            return Err(StreamError::trap("a write without a permit"));
        }
        output.write(self.stream, &bytes).map_err(|OverLimit| StreamError::Trap(OverLimit.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        if let Some(output) = self.stdio.output() {
            output.flush();
        }
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let full = self.stdio.output().is_some_and(|output| output.is_full());
        Ok(if full { 0 } else { CHUNK })
    }
}
