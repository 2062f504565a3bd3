//! What a server and its runners say to each other.
//!
//! Every frame is a length, a message (postcard), and the rest is its body:
//! bytes that neither side looks into. One side of the connection is hostile
//! once an engine has been escaped, so the server bounds the size of what it
//! reads, and treats what it cannot decode as the end of that runner.
//!
//! The life of a runner, in messages: `Find`/`Compile` (one short-lived process
//! at the start of a server), or `Load` → `Bind` → many `Run`s. Each run gives
//! `Started`, `Output`…, `Ended`.

mod http;

use std::path::PathBuf;

use attune_domain::limits::Limits;
use attune_domain::runner::{LimitHit, Runtime, Stream, Usage};
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_util::codec::LengthDelimitedCodec;

use crate::settings::Confinement;

pub(crate) use http::{Answer, ExchangeId, FieldList, HTTP_WINDOW, MAX_HEAD, RequestHead, Said};

/// Numbers the runs of one runner.
pub(crate) type RunId = u64;

/// The largest frame to a runner: a component to be compiled.
pub(crate) const MAX_FRAME_TO_RUNNER: usize = 256 << 20;
/// The largest frame from a runner: the value that a run returned.
pub(crate) const MAX_FRAME_TO_SERVER: usize = MAX_RESPONSE + 4096;
/// Bytes of what a guest may answer with.
pub(crate) const MAX_RESPONSE: usize = 16 << 20;
/// Bytes of output of one run that may be on their way to the server.
/// Small enough to bound memory, large enough that acknowledging costs nothing.
pub(crate) const OUTPUT_WINDOW: usize = 256 << 10;

/// From the server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToRunner {
    /// Is there compiled code for this component?
    Find { cache: PathBuf, digest: String },
    /// Compile the component in the body.
    Compile { cache: PathBuf, digest: String },
    /// Map this compiled code, and be ready for a tenant.
    Load { images: Vec<(Runtime, PathBuf)>, places: u32, primed: u32 },
    /// Serve one tenant from now on, behind walls.
    Bind { folders: Folders, confinement: Confinement },
    /// Run a script; the body is its standard input, and its parameter file.
    Run(Run),
    /// End a run now.
    Stop { run: RunId },
    /// So many bytes of output have been taken.
    Consumed { run: RunId, bytes: u64 },
    /// What came of a guest's request.
    Http { run: RunId, exchange: ExchangeId, answer: Answer },
}

/// All that a bound runner may touch of the file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Folders {
    /// Read only.
    pub(crate) packs: Vec<PathBuf>,
    /// Read and write.
    pub(crate) scratch: PathBuf,
}

/// One run of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) runtime: Runtime,
    pub(crate) pack_folder: PathBuf,
    /// The file that is run, below the pack's folder.
    pub(crate) entry: String,
    /// The envelope of `sdk/contract`.
    pub(crate) request: String,
    /// Where in the body the parameter file begins, if there is one.
    pub(crate) parameter_file_at: Option<usize>,
    pub(crate) limits: Limits,
    /// Requests that it may have at once.
    pub(crate) exchanges: u32,
}

/// From a runner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromRunner {
    Found(Result<Option<PathBuf>, String>),
    Compiled(Result<PathBuf, String>),
    Loaded(Result<(), String>),
    Bound(Result<(), String>),
    /// The next thing that happens is guest code.
    Started {
        run: RunId,
        /// Whether an instance was ready.
        primed: bool,
    },
    /// The body was written by the guest.
    Output {
        run: RunId,
        stream: Stream,
    },
    /// The guest wants something of the network.
    Http {
        run: RunId,
        exchange: ExchangeId,
        said: Said,
    },
    /// Nothing follows; the body is the guest's response, if it gave one.
    Ended {
        run: RunId,
        report: Report,
    },
}

/// A runner's view of how a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) end: End,
    pub(crate) usage: Usage,
    pub(crate) stdout_dropped: u64,
    pub(crate) stderr_dropped: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// The guest's function returned; its response is the body.
    Answered,
    /// The guest called `exit`.
    Exited(i32),
    Limit(LimitHit),
    Trapped(String),
    Stopped,
    NotSetUp(String),
}

/// The framing, with the limit for what is read.
pub(crate) fn codec(max_read: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(max_read).new_codec()
}

/// A frame's content.
pub(crate) fn encode(message: &impl Serialize, body: &[u8]) -> Bytes {
    let head = Vec::with_capacity(256 + body.len());
    #[expect(clippy::expect_used, reason = "only a path that is not UTF-8 fails, and none is sent")]
    let mut frame = postcard::to_extend(message, head).expect("messages are serialisable");
    frame.extend_from_slice(body);
    frame.into()
}

/// The message of a frame, and its body.
pub(crate) fn decode<M: DeserializeOwned>(frame: BytesMut) -> Result<(M, Bytes), postcard::Error> {
    let frame = frame.freeze();
    let (message, body) = postcard::take_from_bytes(&frame)?;
    Ok((message, frame.slice_ref(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_body() {
        let run = Run {
            id: 7,
            runtime: Runtime::Python,
            pack_folder: "/packs/1/ab".into(),
            entry: "a.py".into(),
            request: "{}".into(),
            parameter_file_at: None,
            limits: Limits::default(),
            exchanges: 1,
        };
        let frame = encode(&ToRunner::Run(run.clone()), b"stdin");
        let (message, body) = decode::<ToRunner>(BytesMut::from(&frame[..])).unwrap();
        assert!(matches!(message, ToRunner::Run(decoded) if decoded == run));
        assert_eq!(body, "stdin");
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(decode::<FromRunner>(BytesMut::from(&[0xff, 0xff][..])).is_err());
    }
}
