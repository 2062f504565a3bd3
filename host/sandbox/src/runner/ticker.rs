//! Advances the epoch while guests run, so that a busy one gives the thread back.
//!
//! An idle runner must not use the processor: the thread sleeps once nothing
//! has run for a while. Not at once, because waking a thread for each
//! half-millisecond run would cost more than a few idle ticks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use wasmtime::Engine;

const TICK: Duration = Duration::from_millis(1);
/// Idle ticks before the thread sleeps.
const LINGER_TICKS: u32 = 100;

/// Starts and stops the ticking.
#[derive(Clone)]
pub(super) struct Ticker {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Default)]
struct State {
    running: AtomicUsize,
    asleep: AtomicBool,
}

/// While it lives, the epoch advances.
pub(super) struct Ticking(Arc<State>);

impl Ticker {
    /// Makes the thread; call it when the process is confined, so that the thread is too.
    pub(super) fn start(engine: Engine) -> std::io::Result<Ticker> {
        let state = Arc::new(State::default());
        let shared = state.clone();
        let handle =
            thread::Builder::new().name("epoch".into()).spawn(move || tick(&engine, &shared))?;
        Ok(Ticker { state, thread: handle.thread().clone() })
    }

    pub(super) fn tick_while(&self) -> Ticking {
        self.state.running.fetch_add(1, Ordering::SeqCst);
        // Sequentially consistent on both sides: either we see that the thread sleeps,
        // or it sees that something runs.
        if self.state.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking(self.state.clone())
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(engine: &Engine, state: &State) {
    let mut next = Instant::now();
    let mut idle = 0;
    loop {
        next += TICK;
        let now = Instant::now();
        match next.checked_duration_since(now) {
            Some(wait) => thread::sleep(wait),
            // Late, after a suspension or on a busy machine: do not catch up.
            None => next = now,
        }
        engine.increment_epoch();
        idle = if state.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle > LINGER_TICKS {
            sleep_until_needed(state);
            idle = 0;
            next = Instant::now();
        }
    }
}

fn sleep_until_needed(state: &State) {
    state.asleep.store(true, Ordering::SeqCst);
    while state.running.load(Ordering::SeqCst) == 0 {
        thread::park();
    }
    state.asleep.store(false, Ordering::SeqCst);
}
