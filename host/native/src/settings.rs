//! What native runs are told by whoever wires the server.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use attune_domain::egress::Egress;
use attune_domain::native::ConfinementLevel;

use crate::Interpreters;

/// Above what distributions give to users, and below what they give to containers.
pub(crate) const FIRST_OUTER_UID: u32 = 64_000;

/// The settings of [`Native`](crate::Native).
#[derive(Clone)]
pub struct Settings {
    /// With these arguments this same program becomes the launcher: it calls
    /// [`launcher_main`](crate::launcher_main).
    pub args: Vec<OsString>,
    /// The only way out of a run's network.
    pub egress: Arc<dyn Egress>,
    pub interpreters: Interpreters,
    /// All folders of packs lie below it.
    pub packs_dir: PathBuf,
    /// Refuse to start where the kernel has less than this.
    pub required: Option<ConfinementLevel>,
    /// Processes and threads of one run.
    pub max_processes: u64,
    /// From SIGTERM to SIGKILL when the time of a run is over.
    pub deadline_grace: Duration,
    /// From SIGTERM to SIGKILL when a run is stopped.
    pub cancel_grace: Duration,
    /// How long a run may take to be furnished before it counts as lost.
    pub setup_patience: Duration,
    /// When the server is root, runs have user ids of the host from here on, one for each run
    /// that goes on at a time. No user of the host may have one of them.
    pub first_outer_uid: u32,
}

impl Settings {
    /// Defaults: `native-launcher` as the argument, and whatever confinement there is.
    pub fn new(
        egress: Arc<dyn Egress>,
        interpreters: Interpreters,
        packs_dir: PathBuf,
    ) -> Settings {
        Settings {
            args: default_args(),
            egress,
            interpreters,
            packs_dir,
            required: None,
            max_processes: 256,
            deadline_grace: Duration::from_secs(5),
            cancel_grace: Duration::from_secs(30),
            setup_patience: Duration::from_secs(30),
            first_outer_uid: FIRST_OUTER_UID,
        }
    }
}

pub(crate) fn default_args() -> Vec<OsString> {
    vec!["native-launcher".into()]
}

/// Why there are no native runs.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    #[error("the launcher of native runs could not be started: {0}")]
    Start(#[source] io::Error),
    /// What is missing, and the remedy.
    #[error("native runs cannot be confined on this machine: {0}")]
    Unconfined(String),
    #[error(
        "native runs are to be confined as '{}', and this machine has '{}' only: {applied}",
        required.as_str(),
        found.as_str()
    )]
    TooWeak { required: ConfinementLevel, found: ConfinementLevel, applied: String },
}
