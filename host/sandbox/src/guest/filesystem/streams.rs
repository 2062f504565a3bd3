//! Streams from and into files.
//!
//! wasmtime-wasi's own hand each read and write to another thread. That costs more than a
//! local file does, and a write that is still under way could slip past the quota. Writing
//! stops where the quota does.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::length;
use crate::guest::quota::Space;

/// Bytes of one write, and of one read.
const CHUNK: usize = 64 << 10;

/// Reads a file from a position on.
pub(super) struct Reader {
    file: Arc<File>,
    position: u64,
}

impl Reader {
    pub(super) fn new(file: Arc<File>, position: u64) -> Reader {
        Reader { file, position }
    }
}

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {}
}

impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let mut buffer = BytesMut::zeroed(size.min(CHUNK));
        let read = uninterrupted(|| self.file.read_at(&mut buffer, self.position))?;
        if read == 0 {
            return Err(StreamError::Closed);
        }
        self.position += read as u64;
        buffer.truncate(read);
        Ok(buffer.freeze())
    }
}

/// Where the next write goes.
pub(super) enum Position {
    At(u64),
    End,
}

/// Writes a file, as far as there is space.
pub(super) struct Writer {
    file: Arc<File>,
    position: Position,
    space: Space,
}

impl Writer {
    pub(super) fn new(file: Arc<File>, position: Position, space: Space) -> Writer {
        Writer { file, position, space }
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let length = length(&self.file);
        let start = match self.position {
            Position::At(position) => position,
            Position::End => length,
        };
        let end = start.saturating_add(bytes.len() as u64);
        if !self.space.take(end.saturating_sub(length)) {
            let full = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
            return Err(failed(full));
        }
        self.file.write_all_at(&bytes, start).map_err(failed)?;
        if let Position::At(position) = &mut self.position {
            *position = end;
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

fn uninterrupted(mut read: impl FnMut() -> io::Result<usize>) -> StreamResult<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(failed),
        }
    }
}

fn failed(error: io::Error) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}
