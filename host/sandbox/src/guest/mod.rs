//! One guest: the state behind one store, and everything it can reach.
//!
//! [`wasi`] says what a guest may touch, [`stdio`] carries its streams,
//! [`filesystem`], [`quota`] and [`open_files`] keep its scratch directory and
//! files within limits, [`meter`] its memory.

mod filesystem;
mod meter;
mod network;
mod open_files;
mod quota;
pub(crate) mod scratch;
pub(crate) mod stdio;
pub(crate) mod wasi;

use std::path::Path;

use attune_domain::limits::Limits;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use self::meter::Meter;
use self::network::Network;
use self::open_files::OpenFiles;
use self::quota::Quota;
use self::stdio::Stdio;

/// Handles of any kind (files, directories, streams, pollables) a guest can hold;
/// each costs the host memory, up to 128 KiB (fields of a request). The limit on files is lower
/// and has an error of its own.
const MAX_HANDLES: usize = 2_500;

/// What a store owns beside its instance.
pub(crate) struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
    quota: Quota,
    open_files: OpenFiles,
    pub(crate) meter: Meter,
    pub(crate) stdio: Stdio,
    pub(crate) network: Network,
    http: WasiHttpCtx,
}

impl Guest {
    /// A guest that sees `pack` and `scratch`, and may use so much.
    pub(crate) fn new(
        pack: &Path,
        scratch: &Path,
        limits: &Limits,
        stdio: Stdio,
    ) -> wasmtime::Result<Guest> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Ok(Guest {
            wasi: wasi::context(pack, scratch, &stdio)?,
            table,
            quota: Quota::new(limits),
            open_files: OpenFiles::new(limits),
            meter: Meter::new(limits),
            stdio,
            network: Network::default(),
            http: WasiHttpCtx::new(),
        })
    }

    /// Puts another pack and other limits around the same instance.
    /// Its standard streams stay: libc holds on to them.
    pub(crate) fn rebind(
        &mut self,
        pack: &Path,
        scratch: &Path,
        limits: &Limits,
    ) -> wasmtime::Result<()> {
        self.wasi = wasi::context(pack, scratch, &self.stdio)?;
        self.quota = Quota::new(limits);
        self.open_files = OpenFiles::new(limits);
        self.meter.limit(limits);
        Ok(())
    }

    /// Counts a file that the host has put into the scratch directory.
    pub(crate) fn was_given(&mut self, bytes: u64) {
        self.quota.add_given(bytes);
    }

    /// Whether anything stands in the scratch directory.
    pub(crate) fn scratch_used(&self) -> bool {
        self.quota.was_used()
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.network, table: &mut self.table, ctx: &mut self.http }
    }
}
