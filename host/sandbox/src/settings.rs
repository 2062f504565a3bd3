//! What the sandbox is told by whoever starts it.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use attune_domain::runner::Runtime;
use serde::{Deserialize, Serialize};

/// The settings of a [`Sandbox`](crate::Sandbox).
#[derive(Clone, Debug)]
pub struct Settings {
    /// With these arguments this same program becomes a runner: it calls
    /// [`runner_main`](crate::runner_main).
    pub args: Vec<OsString>,
    pub runtimes: Vec<RuntimeImage>,
    /// Compiled code; only this user may write it.
    pub cache_dir: PathBuf,
    /// Bytes that compiled code may take; what is in use stays.
    pub cache_bytes: u64,
    /// Guests' scratch directories. Emptied at the start: never share it between servers.
    pub scratch_dir: PathBuf,
    /// Holds a folder for each tenant, named by its id, with the tenant's packs in it.
    pub packs_dir: PathBuf,
    /// Runners a busy tenant gets.
    pub runners: usize,
    /// Runners that wait for a tenant.
    pub spare: usize,
    /// Runs at once in one runner.
    pub places_per_runner: usize,
    /// Instances a runner keeps primed.
    pub primed_per_runner: usize,
    pub confinement: Confinement,
    /// How long a runner stays idle before it may make room for another tenant.
    pub idle_retire: Duration,
    /// How long a run waits for a runner while none can be started, before it is given back.
    pub start_patience: Duration,
}

impl Settings {
    /// Defaults: `runner` as the argument, one runner per core.
    pub fn new(
        runtimes: Vec<RuntimeImage>,
        cache_dir: PathBuf,
        scratch_dir: PathBuf,
        packs_dir: PathBuf,
    ) -> Settings {
        Settings {
            args: vec!["runner".into()],
            runtimes,
            cache_dir,
            cache_bytes: 1 << 30,
            scratch_dir,
            packs_dir,
            runners: thread::available_parallelism().map_or(1, usize::from),
            spare: 1,
            places_per_runner: 32,
            primed_per_runner: 4,
            confinement: Confinement::Required,
            idle_retire: Duration::from_mins(1),
            start_patience: Duration::from_secs(30),
        }
    }
}

/// A script runtime: an interpreter as a component.
#[derive(Clone, Debug)]
pub struct RuntimeImage {
    pub runtime: Runtime,
    /// Names the component's content, such as its SHA-256 in hex.
    pub digest: String,
    pub wasm: Cow<'static, [u8]>,
}

/// Whether a runner may work without the second wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confinement {
    /// Refuse to start where the kernel cannot confine a runner.
    Required,
    /// Take what the kernel has, and log what it has not.
    BestEffort,
}
