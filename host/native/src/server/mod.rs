//! The server's side: the launcher it keeps, and one run from its start to its end.

mod channel;
mod command;
mod launchers;
mod output;
mod run;
mod slots;
mod stdio;
mod supervision;

use std::sync::Arc;

use async_trait::async_trait;
use attune_domain::native::{Confinement, NativeJob, NativeRunner};
use attune_domain::runner::{OutputSink, RunReport, StopSignal};

use crate::settings::{FIRST_OUTER_UID, NativeError, Settings, default_args};
use launchers::{Identity, Launchers};
use slots::Slots;

/// Runs programs as confined subprocesses.
pub struct Native {
    settings: Settings,
    launchers: Launchers,
    confinement: Confinement,
    slots: Slots,
}

impl Native {
    /// Starts the launcher, which tries every wall before it says that it can confine runs.
    /// Takes some tens of milliseconds, and blocks for as long.
    pub fn start(settings: Settings) -> Result<Arc<Native>, NativeError> {
        let identity = Identity::of_server(settings.first_outer_uid);
        let (launchers, confinement) = Launchers::start(&settings.args, &identity)?;
        if let Some(required) = settings.required
            && confinement.level < required
        {
            let (found, applied) = (confinement.level, confinement.applied.join(", "));
            return Err(NativeError::TooWeak { required, found, applied });
        }
        let slots = Slots::new(identity);
        Ok(Arc::new(Native { settings, launchers, confinement, slots }))
    }
}

#[async_trait]
impl NativeRunner for Native {
    fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    async fn run(
        &self,
        job: NativeJob,
        output: &mut dyn OutputSink,
        stop: StopSignal,
    ) -> RunReport {
        run::run(self, job, output, stop).await
    }
}

/// What native runs of this program would be confined by, for an operator; or what is missing,
/// and the remedy. Goes through a run in which nothing is started.
pub fn probe() -> Result<Confinement, String> {
    launchers::probe(&default_args(), &Identity::of_server(FIRST_OUTER_UID))
        .map_err(|error| error.to_string())
}
