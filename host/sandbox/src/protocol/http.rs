//! What is said of one exchange: a request of a guest, and its response.
//!
//! Bodies travel in both directions within a window: whoever takes bytes says so, and so many
//! more may follow. A runner has an exchange from its request until it hears `Ended`, which the
//! server says exactly once, also of one that the guest has dropped.

use attune_domain::egress::{EgressError, Patience};
use serde::{Deserialize, Serialize};

/// Numbers the exchanges of one run.
pub(crate) type ExchangeId = u32;

/// Bytes of a body, in one direction, that may be on their way.
pub(crate) const HTTP_WINDOW: usize = 64 << 10;
/// Bytes of a head; wasmtime's own bound for fields is about that.
pub(crate) const MAX_HEAD: usize = 256 << 10;

/// Fields of a head, in order; names may repeat.
pub(crate) type FieldList = Vec<(String, Vec<u8>)>;

/// What a guest says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Request(RequestHead),
    /// The message's body is a piece of the request's.
    Body,
    /// The request's body is complete.
    Complete,
    /// It will never be.
    Aborted,
    /// So many bytes of the response have been taken.
    Taken(u64),
    /// Nobody is interested any more.
    Dropped,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RequestHead {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) fields: FieldList,
    pub(crate) has_body: bool,
    pub(crate) patience: Patience,
}

impl RequestHead {
    /// Bytes that it holds.
    pub(crate) fn size(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + value.len());
        self.method.len() + self.uri.len() + fields.sum::<usize>()
    }
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// So many bytes of the request have been taken.
    Taken(u64),
    Response {
        status: u16,
        fields: FieldList,
    },
    /// The message's body is a piece of the response's.
    Body,
    /// Nothing follows: the response is complete, or there is none, or no more of it.
    Ended(Result<(), EgressError>),
}
