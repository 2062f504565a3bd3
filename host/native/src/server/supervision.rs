//! Whoever decides when a run ends: its program, its time, its limits, or the stop signal.

use std::future::pending;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::time::Duration;

use attune_domain::limits::Limits;
use attune_domain::runner::{LimitHit, Lost, RunEnd, StopSignal};
use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::channel::{Channel, watched};
use super::slots::Slot;
use crate::Settings;
use crate::protocol::{Ending, FromRun, ToRun};

/// An init that was told to kill has so long before it is killed itself.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Then the kernel has so long to end its processes.
const DEATH_PATIENCE: Duration = Duration::from_secs(30);

/// How long a run may take for what.
pub(super) struct Patience {
    setup: Duration,
    wall: Duration,
    deadline_grace: Duration,
    cancel_grace: Duration,
}

impl Patience {
    pub(super) fn new(settings: &Settings, limits: &Limits) -> Patience {
        Patience {
            setup: settings.setup_patience,
            wall: limits.wall(),
            deadline_grace: settings.deadline_grace,
            cancel_grace: settings.cancel_grace,
        }
    }
}

/// How a run ended, and what it used.
pub(super) struct Ended {
    pub(super) end: RunEnd,
    pub(super) peak_memory_bytes: u64,
    pub(super) wall: Duration,
}

impl Ended {
    pub(super) fn without_a_program(end: RunEnd) -> Ended {
        Ended { end, peak_memory_bytes: 0, wall: Duration::ZERO }
    }
}

/// What is alive of a run. Dropping it kills that.
pub(super) struct Life {
    pub(super) channel: Channel,
    init: Option<AsyncFd<OwnedFd>>,
    slot: Option<Slot>,
}

impl Life {
    pub(super) fn new(channel: Channel, slot: Slot) -> Life {
        Life { channel, init: None, slot: Some(slot) }
    }

    fn born(&mut self, descriptors: Vec<OwnedFd>) {
        let init = descriptors.into_iter().next();
        self.init = init.and_then(|init| watched(init, Interest::READABLE).ok());
    }

    /// The kernel kills all others of a PID namespace with its init.
    fn kill(&self) {
        if let Some(init) = &self.init {
            let _ended_already = pidfd_send_signal(init.get_ref(), Signal::KILL);
        }
    }
}

/// An init that has ended leaves nobody behind. (One that has not been born hears that nobody is
/// at the other end, and starts nothing.)
async fn death(init: &AsyncFd<OwnedFd>) {
    if timeout(DEATH_PATIENCE, init.readable()).await.is_err() {
        tracing::error!("a native run does not die: the kernel may be waiting for a device");
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
        let (Some(init), Some(slot)) = (self.init.take(), self.slot.take()) else { return };
        // Nobody else is this user before the last of its processes is gone.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                death(&init).await;
                drop(slot);
            });
        }
    }
}

/// Why a run is being ended, and how far that has come.
struct Ordered {
    end: RunEnd,
    step: Step,
    next_at: Instant,
}

enum Step {
    /// SIGTERM has been sent.
    Asked,
    /// The init has been told to kill.
    Told,
    /// The init has been killed.
    Forced,
}

pub(super) struct Supervision {
    life: Life,
    patience: Patience,
    open_door: Option<oneshot::Sender<TcpListener>>,
    started_at: Option<Instant>,
    deadline: Instant,
    ordered: Option<Ordered>,
}

impl Supervision {
    pub(super) fn new(
        life: Life,
        patience: Patience,
        open_door: oneshot::Sender<TcpListener>,
    ) -> Supervision {
        let deadline = Instant::now() + patience.setup;
        let open_door = Some(open_door);
        Supervision { life, patience, open_door, started_at: None, deadline, ordered: None }
    }

    /// Always ends: whatever the program does, and whatever becomes of its init.
    pub(super) async fn until_the_end(
        mut self,
        mut stop: StopSignal,
        over_limit: &CancellationToken,
    ) -> Ended {
        loop {
            let free = self.ordered.is_none();
            let next_step_at = self.ordered.as_ref().map(|ordered| ordered.next_at);
            tokio::select! {
                // A program whose output nobody takes any more may end of that by itself.
                biased;
                () = over_limit.cancelled(), if !self.is_killed() => self.stop_at_output().await,
                heard = self.life.channel.receive::<FromRun>() => {
                    if let Some(ended) = self.hear(heard.ok().flatten()).await {
                        return ended;
                    }
                }
                () = &mut stop, if free => {
                    self.order(RunEnd::Stopped, self.patience.cancel_grace).await;
                }
                () = sleep_until(self.deadline), if free => self.time_is_over().await,
                () = at(next_step_at) => self.go_on().await,
            }
            if let Some(Ordered { step: Step::Forced, .. }) = &self.ordered {
                return self.forced().await;
            }
        }
    }

    /// Gives the end, if this was the last word.
    async fn hear(&mut self, heard: Option<(FromRun, Vec<OwnedFd>)>) -> Option<Ended> {
        match heard {
            Some((FromRun::Born, descriptors)) => self.life.born(descriptors),
            Some((FromRun::Started, descriptors)) => self.start(descriptors),
            Some((FromRun::Ended(ending), _)) => return Some(self.ended(ending)),
            Some((FromRun::Refused(problem), _)) => {
                let end = self.ordered.take().map_or(RunEnd::NotSetUp(problem), |it| it.end);
                return Some(Ended::without_a_program(end));
            }
            None => return Some(self.lost().await),
        }
        None
    }

    fn start(&mut self, descriptors: Vec<OwnedFd>) {
        self.started_at = Some(Instant::now());
        self.deadline = Instant::now() + self.patience.wall;
        let door = descriptors.into_iter().next().map(TcpListener::from);
        if let (Some(door), Some(open)) = (door, self.open_door.take())
            && door.set_nonblocking(true).is_ok()
        {
            let _nobody_attends = open.send(door);
        }
    }

    fn ended(&mut self, ending: Ending) -> Ended {
        let own = if ending.out_of_memory {
            RunEnd::Limit(LimitHit::Memory)
        } else {
            RunEnd::Exited(ending.code)
        };
        let end = self.ordered.take().map_or(own, |ordered| ordered.end);
        Ended { end, peak_memory_bytes: ending.peak_memory_bytes, wall: self.wall() }
    }

    fn wall(&self) -> Duration {
        self.started_at.map_or(Duration::ZERO, |started_at| started_at.elapsed())
    }

    async fn time_is_over(&mut self) {
        if self.started_at.is_some() {
            let end = RunEnd::Limit(LimitHit::Deadline);
            self.order(end, self.patience.deadline_grace).await;
        } else {
            let problem = "the run could not be set up in time: the server is overloaded";
            self.order(RunEnd::NotSetUp(problem.to_owned()), Duration::ZERO).await;
        }
    }

    /// Asks the program to end. One that has not begun is not let begin.
    async fn order(&mut self, end: RunEnd, grace: Duration) {
        let now = Instant::now();
        self.ordered = Some(if self.started_at.is_none() {
            self.life.kill();
            Ordered { end, step: Step::Forced, next_at: now }
        } else {
            let _heard_as_its_end = self.life.channel.send(&ToRun::Terminate, &[]).await;
            Ordered { end, step: Step::Asked, next_at: now + grace }
        });
    }

    /// Too much was written, whatever else is going on.
    async fn stop_at_output(&mut self) {
        let earlier = self.ordered.take().map(|ordered| ordered.end);
        let end = earlier.unwrap_or(RunEnd::Limit(LimitHit::Output));
        self.kill_by_init(end).await;
    }

    fn is_killed(&self) -> bool {
        self.ordered.as_ref().is_some_and(|ordered| !matches!(ordered.step, Step::Asked))
    }

    async fn kill_by_init(&mut self, end: RunEnd) {
        let _heard_as_its_end = self.life.channel.send(&ToRun::Kill, &[]).await;
        let next_at = Instant::now() + KILL_PATIENCE;
        self.ordered = Some(Ordered { end, step: Step::Told, next_at });
    }

    async fn go_on(&mut self) {
        match self.ordered.take() {
            Some(Ordered { end, step: Step::Asked, .. }) => self.kill_by_init(end).await,
            Some(Ordered { end, next_at, .. }) => {
                self.life.kill();
                self.ordered = Some(Ordered { end, step: Step::Forced, next_at });
            }
            None => {}
        }
    }

    /// The init was killed, without a word.
    async fn forced(mut self) -> Ended {
        if let Some(init) = &self.life.init {
            death(init).await;
        }
        let end = self.ordered.take().map_or(RunEnd::Stopped, |ordered| ordered.end);
        Ended { end, peak_memory_bytes: 0, wall: self.wall() }
    }

    /// The launcher has died, or the init alone.
    async fn lost(&mut self) -> Ended {
        self.life.kill();
        if let Some(init) = &self.life.init {
            death(init).await;
        }
        let started = self.started_at.is_some();
        let lost = if started { Lost::MaybeStarted } else { Lost::BeforeStart };
        let end = self.ordered.take().map_or(RunEnd::Lost(lost), |ordered| ordered.end);
        Ended { end, peak_memory_bytes: 0, wall: self.wall() }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
