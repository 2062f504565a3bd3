//! Settings of native runs.

use std::path::PathBuf;

use attune_domain::native::ConfinementLevel;
use attune_native::{Interpreters, find_interpreters};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::Switch;

#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Native runs")]
pub(crate) struct NativeSettings {
    /// Whether actions may run natively, outside the sandbox: shell and Node actions, and those
    /// that say `runner: native`
    #[arg(
        id = "native.runs",
        long = "native-runs",
        env = "ATTUNE_NATIVE_RUNS",
        default_value = "on",
        value_name = "SWITCH"
    )]
    pub runs: Switch,

    /// How far the kernel must confine native runs; where it does not, there are none
    #[arg(
        id = "native.confinement",
        long = "native-confinement",
        env = "ATTUNE_NATIVE_CONFINEMENT",
        default_value = "full",
        value_name = "LEVEL"
    )]
    pub confinement: Level,

    /// Processes and threads of one native run
    #[arg(
        id = "native.processes",
        long = "native-processes",
        env = "ATTUNE_NATIVE_PROCESSES",
        default_value_t = 256,
        value_name = "N"
    )]
    pub processes: u64,

    /// Python of native runs, below /usr; without this `python3` in /usr/local/bin, /usr/bin, …
    #[arg(
        id = "native.python",
        long = "native-python",
        env = "ATTUNE_NATIVE_PYTHON",
        value_name = "FILE"
    )]
    pub python: Option<PathBuf>,

    /// Node.js of native runs, below /usr; without this `node` in /usr/local/bin, /usr/bin, …
    #[arg(
        id = "native.node",
        long = "native-node",
        env = "ATTUNE_NATIVE_NODE",
        value_name = "FILE"
    )]
    pub node: Option<PathBuf>,
}

/// See [`ConfinementLevel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Full,
    Partial,
}

impl NativeSettings {
    pub(crate) fn interpreters(&self) -> Interpreters {
        let (python, node) = (self.python.clone(), self.node.clone());
        find_interpreters(Interpreters { bash: None, python, node })
    }

    pub(crate) fn required(&self) -> ConfinementLevel {
        match self.confinement {
            Level::Full => ConfinementLevel::Full,
            Level::Partial => ConfinementLevel::Partial,
        }
    }
}
