//! Counts a guest's linear memory, and says no.

use attune_domain::limits::Limits;
use wasmtime::{ResourceLimiter, Result};

/// More elements than any table of a runtime has; the pool's own limit is lower.
const MAX_TABLE_ELEMENTS: usize = 1 << 20;

/// The memory of one instance, all its linear memories together.
pub(crate) struct Meter {
    limit: usize,
    now: usize,
    peak: usize,
    denied: bool,
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Meter {
        Meter { limit: limit(limits), now: 0, peak: 0, denied: false }
    }

    /// Sets another limit; what the instance already has stays.
    pub(super) fn limit(&mut self, limits: &Limits) {
        self.limit = limit(limits);
    }

    /// The most the instance ever had, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak as u64
    }

    /// Whether the guest was refused memory that it asked for, or began with too much.
    pub(crate) fn was_denied(&self) -> bool {
        self.denied || self.now > self.limit
    }
}

fn limit(limits: &Limits) -> usize {
    usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX)
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, to: usize, _max: Option<usize>) -> Result<bool> {
        let total = self.now.saturating_add(to.saturating_sub(current));
        if total > self.limit {
            self.denied = true;
            return Ok(false);
        }
        self.now = total;
        self.peak = self.peak.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, to: usize, _max: Option<usize>) -> Result<bool> {
        Ok(to <= MAX_TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_over_the_limit_is_denied_and_remembered() {
        let mut meter = Meter::new(&Limits { memory_bytes: 100, ..Limits::default() });
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(60, 101, None).unwrap());
        assert!(meter.memory_growing(60, 100, None).unwrap());
        assert_eq!((meter.peak(), meter.was_denied()), (100, true));
    }

    #[test]
    fn an_instance_above_a_new_limit_counts_as_denied() {
        let mut meter = Meter::new(&Limits::default());
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.was_denied());
        meter.limit(&Limits { memory_bytes: 50, ..Limits::default() });
        assert!(meter.was_denied());
    }
}
