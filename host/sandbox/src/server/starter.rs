//! Starts runners, up to where they can be bound.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use attune_domain::runner::Runtime;
use tokio::time::Instant;

use super::process::Unbound;
use super::spawner::Spawner;
use crate::SandboxError;
use crate::engine::evict;
use crate::settings::Settings;

/// What it takes to start a runner.
pub(super) struct Starter {
    settings: Arc<Settings>,
    spawner: Spawner,
    images: Vec<(Runtime, PathBuf)>,
}

impl Starter {
    /// Compiles what is missing, and makes room of what is not in use any more.
    pub(super) async fn new(settings: Arc<Settings>) -> Result<Starter, SandboxError> {
        let spawner = Spawner::start().map_err(SandboxError::Start)?;
        let images = compile_missing(&settings, &spawner).await?;
        let in_use: Vec<_> = images.iter().map(|(_, path)| path.clone()).collect();
        if let Err(error) = evict(&settings.cache_dir, &in_use, settings.cache_bytes) {
            tracing::warn!(%error, "the folder of compiled code may hold more than it should");
        }
        Ok(Starter { settings, spawner, images })
    }

    /// A spare runner. When it cannot load the compiled code, that is compiled again if it
    /// has been damaged or deleted.
    pub(super) async fn spare(&self) -> Result<Unbound, SandboxError> {
        match self.loaded().await {
            Err(SandboxError::Image(problem)) => {
                tracing::warn!(problem, "compiled code cannot be loaded");
                compile_missing(&self.settings, &self.spawner).await?;
                self.loaded().await
            }
            other => other,
        }
    }

    async fn loaded(&self) -> Result<Unbound, SandboxError> {
        let mut spare =
            Unbound::start(&self.settings, &self.spawner).await.map_err(SandboxError::Start)?;
        spare.load(&self.settings, &self.images).await?;
        Ok(spare)
    }
}

async fn compile_missing(
    settings: &Settings,
    spawner: &Spawner,
) -> Result<Vec<(Runtime, PathBuf)>, SandboxError> {
    let compiler = Unbound::start(settings, spawner).await.map_err(SandboxError::Start)?;
    compiler.compile(settings).await
}

/// Starts that fail, one after the other.
pub(super) struct Failing {
    since: Instant,
    problem: String,
}

impl Failing {
    /// One more failure.
    pub(super) fn again(before: Option<Failing>, problem: &SandboxError, now: Instant) -> Failing {
        let since = before.map_or(now, |before| before.since);
        Failing { since, problem: problem.to_string() }
    }

    /// What a run is told that has had no runner since `asked_at`, once that, and this, has
    /// lasted for as long as `patience`.
    pub(super) fn give_up(
        &self,
        patience: Duration,
        asked_at: Instant,
        now: Instant,
    ) -> Result<(), SandboxError> {
        if now < self.since.max(asked_at) + patience {
            return Ok(());
        }
        Err(SandboxError::NoRunner(self.problem.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_from_the_first_failure_and_the_last_one_is_told() {
        let (patience, first) = (Duration::from_secs(30), Instant::now());
        let failing = Failing::again(None, &SandboxError::Closed, first);
        let second = SandboxError::Image("damaged".to_owned());
        let failing = Failing::again(Some(failing), &second, first + patience);
        let give_up = |asked_at, now| failing.give_up(patience, asked_at, now);
        let told = give_up(first, first + patience).unwrap_err().to_string();
        assert!(told.ends_with("damaged"), "{told}");
        assert!(give_up(first, first + patience / 2).is_ok());
        assert!(give_up(first + patience / 2, first + patience).is_ok());
    }
}
