//! What a guest may touch: all of it, as one list.
//!
//! | capability | what a guest gets |
//! |---|---|
//! | files | `/pack` (read only) and `/tmp` (its own scratch directory); nothing else, no way up |
//! | file limits | bytes, entries and open files of `Limits`; no links of either kind |
//! | stdin | the bytes of the job, then the end |
//! | stdout, stderr | to the server, within the limits on output |
//! | environment, arguments | none; a script gets what its request says |
//! | TCP, UDP, name lookup | none |
//! | HTTP | requests of wasi:http, which the server sends if the run's grants allow it |
//! | clocks | the machine's |
//! | randomness | secure, seeded for each run; at most 1 MiB in one call |
//! | memory, tables, fuel, time | within `Limits` |
//! | anything else | not linked: a component that imports it cannot be instantiated |

use std::path::Path;

use wasmtime::component::Linker;
use wasmtime::{Engine, Result};
use wasmtime_wasi::p2::bindings::filesystem::types;
use wasmtime_wasi::{FsPerms, WasiCtx};

use super::Guest;
use super::filesystem::{Guarded, GuardedFilesystem};
use super::stdio::Stdio;

/// Where a guest finds its pack.
pub(crate) const PACK: &str = "/pack";
/// Where a guest finds its scratch directory.
pub(crate) const SCRATCH: &str = "/tmp";

const MAX_RANDOM_BYTES: u64 = 1 << 20;

/// The functions that a component may import.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // wasmtime-wasi bounds neither space nor the number of open files: put our checks before it.
    linker.allow_shadowing(true);
    types::add_to_linker::<Guest, GuardedFilesystem>(&mut linker, Guarded::of)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// The capabilities of one run. The builder's defaults deny everything; what follows is the list.
pub(super) fn context(pack: &Path, scratch: &Path, stdio: &Stdio) -> Result<WasiCtx> {
    let mut builder = WasiCtx::builder();
    builder
        // A runner has one thread and local files: a hop to another thread for each of a
        // script's file operations costs more than they do. Directories remember what was
        // said before they were opened, so this comes first.
        .allow_blocking_current_thread(true)
        .preopened_dir(pack, PACK, FsPerms::ReadOnly)?
        .preopened_dir(scratch, SCRATCH, FsPerms::ReadWrite)?
        .stdin(stdio.stdin())
        .stdout(stdio.stdout())
        .stderr(stdio.stderr())
        .max_random_size(MAX_RANDOM_BYTES)
        // Denied by default too; here so that nobody has to know that.
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    Ok(builder.build())
}
