//! What one run may use. Every limit has a default, a cap and its own failure reason.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The walls around one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wall clock from start to end, in milliseconds. Failure reason `deadline`.
    pub wall_ms: u64,
    /// wasmtime fuel, about one unit for one instruction. Failure reason `fuel`.
    pub fuel: u64,
    /// Bytes of linear memory. Failure reason `memory`.
    pub memory_bytes: u64,
    /// Bytes kept of stdout, and of stderr; more is dropped and marked as truncated.
    pub stream_bytes: u64,
    /// Bytes written to stdout and stderr together, kept or not. Failure reason `output`.
    pub output_bytes: u64,
    /// Bytes in the scratch directory; a write beyond it fails inside the guest.
    pub scratch_bytes: u64,
    /// Files and folders in the scratch directory.
    pub scratch_entries: u64,
    /// Files a guest holds open at once.
    pub open_files: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wall_ms: 300_000,
            fuel: 2_000_000_000_000,
            memory_bytes: 256 << 20,
            stream_bytes: 10_000_000,
            output_bytes: 256 << 20,
            scratch_bytes: 64 << 20,
            scratch_entries: 10_000,
            open_files: 256,
        }
    }
}

impl Limits {
    /// The wall clock as a duration.
    pub fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}
