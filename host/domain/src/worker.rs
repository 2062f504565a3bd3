//! Workers: the server processes that run executions, and the leases they hold them under.
//!
//! A worker renews its lease at a steady pace; each renewal is a beat. Nobody compares clocks: a
//! lease has expired when a watcher, who could read the database all the while, has seen no new
//! beat over [`PATIENCE`] looks of its own. What is held under an ended lease is settled by
//! whoever comes first, and the one who held it is refused from then on.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{IdentityId, LeaseId, WorkerId};

/// Looks without a new beat after which a lease has expired.
pub const PATIENCE: u32 = 10;

/// The wait between two beats, and between two looks at the beats of others, for leases of this
/// length.
pub fn pace(lease: Duration) -> Duration {
    lease / PATIENCE
}

/// Who holds a claimed execution: a worker, under the lease that fences it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    pub worker: WorkerId,
    /// Unique for each time that a worker came to be, so that a former holder is told from
    /// the present one.
    pub lease: LeaseId,
}

/// A worker, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    pub id: WorkerId,
    pub name: String,
    /// Whether it holds a lease.
    pub active: bool,
    /// When it beat last.
    pub seen: Timestamp,
    /// Set while it is to take no new work.
    pub cordon: Option<Cordon>,
    /// What it holds now.
    pub held: Held,
    pub capacity: Capacity,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// A worker that beat longer ago than this, in seconds, is taken for lost (contract, operations
/// section 3).
const STALE_AFTER: i64 = 90;

/// How a worker is, in one word (contract, models section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Active,
    Busy,
    Cordoned,
    Offline,
    Error,
    Inactive,
}

impl FromStr for Health {
    type Err = serde::de::value::Error;

    fn from_str(word: &str) -> Result<Health, Self::Err> {
        Health::deserialize(word.into_deserializer())
    }
}

impl Worker {
    /// Whole seconds since the last beat.
    pub fn silence(&self, now: Timestamp) -> i64 {
        (now - self.seen).num_seconds().max(0)
    }

    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.silence(now) > STALE_AFTER
    }

    /// The first word that fits.
    pub fn health(&self, now: Timestamp) -> Health {
        match () {
            () if self.cordon.is_some() => Health::Cordoned,
            () if !self.active || self.is_stale(now) => Health::Offline,
            () if self.held.total() > 0 => Health::Busy,
            () => Health::Active,
        }
    }
}

/// Why, by whom and since when a worker takes no new work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cordon {
    pub reason: Option<String>,
    pub by: Option<IdentityId>,
    pub at: Timestamp,
}

/// How many executions a worker holds, by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub scheduled: u32,
    pub running: u32,
    pub canceling: u32,
}

impl Held {
    pub fn total(&self) -> u32 {
        self.scheduled + self.running + self.canceling
    }
}

/// What a worker can do, told with each beat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Runs it may have at once.
    pub places: u32,
    pub runtimes: Vec<RuntimeSupport>,
}

/// A language that a worker runs, and in which versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeSupport {
    pub name: String,
    pub versions: Vec<String>,
}

/// A lease that has not ended, with its last beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    pub holder: Holder,
    /// The worker's name.
    pub name: String,
    /// Tells the folder in which the worker's process lives, which no two processes share.
    pub home: String,
    pub beat: i64,
}

/// What became of asking for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    Granted(Holder),
    /// Another process holds one under this name.
    Taken(Pulse),
}

/// What a worker learns from renewing its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    Held {
        cordoned: bool,
    },
    /// The lease has ended: others settle what was held under it.
    Lost,
}

/// Finds leases that are renewed no more.
#[derive(Debug, Default)]
pub struct Watcher {
    beats: HashMap<LeaseId, (i64, u32)>,
}

impl Watcher {
    /// Takes a look at all leases; returns those that have expired. Looks are
    /// [`pace`] apart.
    pub fn look(&mut self, pulses: Vec<Pulse>) -> Vec<Pulse> {
        let before = std::mem::take(&mut self.beats);
        let mut expired = Vec::new();
        for pulse in pulses {
            let looks = match before.get(&pulse.holder.lease) {
                Some((beat, looks)) if *beat == pulse.beat => looks + 1,
                _ => 0,
            };
            self.beats.insert(pulse.holder.lease, (pulse.beat, looks));
            if looks >= PATIENCE {
                expired.push(pulse);
            }
        }
        expired
    }

    /// Begins anew: a look failed, and whoever could not beat in that time is given all of it
    /// again.
    pub fn forget(&mut self) {
        self.beats.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(lease: i64, beat: i64) -> Pulse {
        let holder = Holder { worker: WorkerId(1), lease: LeaseId(lease) };
        Pulse { holder, name: "one".to_owned(), home: String::new(), beat }
    }

    #[test]
    fn health_is_the_first_word_that_fits() {
        let at = |second| Timestamp::from_timestamp(second, 0).unwrap();
        let idle = Worker {
            id: WorkerId(1),
            name: "one".to_owned(),
            active: true,
            seen: at(100),
            cordon: None,
            held: Held::default(),
            capacity: Capacity::default(),
            created: at(0),
            updated: at(0),
        };
        let held = Held { canceling: 1, ..Held::default() };
        let busy = Worker { held, ..idle.clone() };
        let gone = Worker { active: false, ..busy.clone() };
        let cordon = Some(Cordon { reason: None, by: None, at: at(0) });
        let cordoned = Worker { cordon, ..gone.clone() };
        assert_eq!(idle.health(at(190)), Health::Active);
        assert_eq!(busy.health(at(190)), Health::Busy);
        assert_eq!(busy.health(at(191)), Health::Offline);
        assert_eq!(gone.health(at(100)), Health::Offline);
        assert_eq!(cordoned.health(at(900)), Health::Cordoned);
        assert_eq!("cordoned".parse(), Ok(Health::Cordoned));
        assert!("well".parse::<Health>().is_err());
    }

    /// Looks at a lease that stands still until it expires; tells how many looks that took.
    fn looks_until_expired(watcher: &mut Watcher) -> u32 {
        (0..100).find(|_| !watcher.look(vec![pulse(1, 5)]).is_empty()).unwrap()
    }

    #[test]
    fn a_lease_without_beats_expires() {
        assert_eq!(looks_until_expired(&mut Watcher::default()), PATIENCE);
    }

    #[test]
    fn a_beat_keeps_it() {
        let mut watcher = Watcher::default();
        for beat in 0..100 {
            assert!(watcher.look(vec![pulse(1, beat / 5)]).is_empty());
        }
    }

    #[test]
    fn a_failed_look_gives_all_the_time_again() {
        let mut watcher = Watcher::default();
        for _ in 0..PATIENCE {
            assert!(watcher.look(vec![pulse(1, 5)]).is_empty());
        }
        watcher.forget();
        assert_eq!(looks_until_expired(&mut watcher), PATIENCE);
    }

    #[test]
    fn leases_are_told_apart() {
        let mut watcher = Watcher::default();
        for look in 0..=PATIENCE {
            let expired = watcher.look(vec![pulse(1, 5), pulse(2, i64::from(look))]);
            assert_eq!(expired.is_empty(), look < PATIENCE, "{look}");
            assert!(expired.iter().all(|pulse| pulse.holder.lease == LeaseId(1)));
        }
    }
}
