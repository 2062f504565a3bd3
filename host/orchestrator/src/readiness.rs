//! Whether this server can do its work now. Whether the database answers, whoever asks finds out.

use crate::Orchestrator;

/// What keeps a server from its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hindrance {
    #[error("the server is stopping")]
    Stopping,
    #[error("the server has lost its lease and runs nothing until it has another")]
    NoLease,
    #[error("no runner can be started; the server's log says why")]
    NoRunner,
}

impl Orchestrator {
    /// All there is of it at present. A cordon is none: it is somebody's will.
    pub fn hindrances(&self) -> Vec<Hindrance> {
        let shared = &self.shared;
        let runs = shared.settings.runs();
        let all = [
            (Hindrance::Stopping, shared.stopping.is_cancelled()),
            (Hindrance::NoLease, runs && shared.holder().is_none()),
            (Hindrance::NoRunner, runs && shared.runner.is_failing()),
        ];
        all.into_iter().filter(|(_, is_so)| *is_so).map(|(hindrance, _)| hindrance).collect()
    }
}
