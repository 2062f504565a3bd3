//! The seam between the loops and the room that runs programs outside WebAssembly.
//!
//! A native run is confined by the kernel alone: that is not the sandbox, and results say so.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::egress::Caller;
use crate::id::TenantId;
use crate::limits::Limits;
use crate::runner::{OutputSink, RunReport, StopSignal};
use crate::words::words;

/// Where a native run finds the files of its pack, read-only; its working directory.
pub const PACK_FOLDER: &str = "/pack";

/// What a native run connects to, in a network that holds nothing else: an HTTP proxy, and the
/// server's API for requests that name no host.
pub const DOOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3128);

/// Everything that is needed for one native run.
#[derive(Clone, Debug)]
pub struct NativeJob {
    /// Whose run it is, and what it may do in the network.
    pub caller: Caller,
    pub program: Program,
    /// The pack version's folder on this machine, if it has one.
    pub pack_folder: Option<PathBuf>,
    /// The program's whole environment.
    pub env: BTreeMap<String, String>,
    /// What the program reads from stdin before it sees the end.
    pub stdin: Bytes,
    /// Put at [`crate::runner::PARAMETER_FILE`] before the run, for the program's user alone.
    pub parameter_file: Option<Bytes>,
    pub limits: Limits,
}

/// What is run.
#[derive(Clone, PartialEq, Eq)]
pub enum Program {
    /// A bash script that was made for this run. It may hold secrets.
    Script(Bytes),
    /// A file below the pack's folder, `/`-separated.
    File { interpreter: Interpreter, path: String },
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Program::Script(script) => write!(f, "Script({} bytes)", script.len()),
            Program::File { interpreter, path } => write!(f, "File({interpreter:?}, {path})"),
        }
    }
}

words! {
    /// Who reads the program's file (contract, packs section 6.2).
    Interpreter { Bash = "bash", Python = "python", Node = "node", Itself = "native" }
}

/// How far the kernel of this machine confines native runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    pub level: ConfinementLevel,
    /// What is applied, in words, such as `pid namespace` or `landlock ABI 6`.
    pub applied: Vec<String>,
}

/// Whose actions may run natively.
#[derive(Clone, Copy, Debug)]
pub struct NativePolicy {
    /// The setting `native.runs`.
    pub allowed: bool,
    /// The one tenant that the setting speaks of. Others are strangers to each other, for whom
    /// a kernel is too thin a wall.
    pub embedded: TenantId,
}

impl NativePolicy {
    /// The text says what to change.
    pub fn check(&self, tenant: TenantId) -> Result<(), &'static str> {
        if !self.allowed {
            return Err("native runs are switched off on this server (setting --native-runs)");
        }
        if tenant != self.embedded {
            return Err(
                "this tenant's actions run in the sandbox only (setting --native-runs is for \
                        the embedded tenant)",
            );
        }
        Ok(())
    }
}

words! {
    /// `full`: own user, PID, mount, network and IPC namespaces, landlock and seccomp.
    /// `partial`: something of this is missing, but nothing survives a run.
    ConfinementLevel { Partial = "partial", Full = "full" }
}

/// Runs programs as confined subprocesses.
#[async_trait]
pub trait NativeRunner: Send + Sync {
    fn confinement(&self) -> &Confinement;

    /// Runs one job to its end. When `stop` resolves, or its time is over, the program is asked
    /// to end (SIGTERM) and then made to (SIGKILL). Always answers, and nothing survives it.
    async fn run(&self, job: NativeJob, output: &mut dyn OutputSink, stop: StopSignal)
    -> RunReport;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_runs_are_for_the_embedded_tenant_unless_they_are_switched_off() {
        let policy = |allowed| NativePolicy { allowed, embedded: TenantId(1) };
        assert_eq!(policy(true).check(TenantId(1)), Ok(()));
        for (allowed, tenant) in [(true, 2), (false, 1), (false, 2)] {
            let refusal = policy(allowed).check(TenantId(tenant)).unwrap_err();
            assert!(refusal.contains("--native-runs"), "{refusal}");
        }
    }
}
