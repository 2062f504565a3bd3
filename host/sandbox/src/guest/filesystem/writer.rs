//! A stream into a file that stops where the quota does.

use std::fs::File;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::length;
use crate::guest::quota::Space;

/// Where the next write goes.
pub(super) enum Position {
    At(u64),
    End,
}

/// Counts what it lets through to `inner`.
pub(super) struct BoundedWriter {
    inner: DynOutputStream,
    file: Arc<File>,
    position: Position,
    space: Space,
}

impl BoundedWriter {
    pub(super) fn new(
        inner: DynOutputStream,
        file: Arc<File>,
        position: Position,
        space: Space,
    ) -> BoundedWriter {
        BoundedWriter { inner, file, position, space }
    }

    /// Takes the space that a write of so many bytes needs.
    fn admit(&mut self, bytes: usize) -> StreamResult<()> {
        let bytes = bytes as u64;
        let growth = match &mut self.position {
            Position::End => bytes,
            Position::At(offset) => {
                *offset = offset.saturating_add(bytes);
                offset.saturating_sub(length(&self.file))
            }
        };
        if self.space.take(growth) {
            return Ok(());
        }
        let full = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        Err(StreamError::LastOperationFailed(full.into()))
    }
}

#[async_trait]
impl Pollable for BoundedWriter {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl OutputStream for BoundedWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.admit(bytes.len())?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.admit(bytes.len())?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// Stands in a stream's place while it is being wrapped.
pub(super) struct Nowhere;

#[async_trait]
impl Pollable for Nowhere {
    async fn ready(&mut self) {}
}

impl OutputStream for Nowhere {
    fn write(&mut self, _bytes: Bytes) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamError::Closed)
    }
}
