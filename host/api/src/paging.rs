//! Page sizes of the list families (contract, "Pagination").

use attune_domain::page::Page;

/// What a family of lists takes as page size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    default: u32,
    cap: u32,
}

impl Family {
    /// Packs, actions and the sub-lists, with `page` and `page_size`.
    pub(crate) const BY_REF: Family = Family { default: 50, cap: 100 };
    /// Audit events, with `page` and `per_page`.
    pub(crate) const AUDIT: Family = Family { default: 50, cap: 500 };
    /// Keys, with `page` and `per_page`. The contract knows no cap; this one bounds the memory.
    pub(crate) const KEYS: Family = Family { default: 50, cap: 10_000 };
    /// Executions, with `page` and `per_page`.
    pub(crate) const EXECUTIONS: Family = Family { default: 20, cap: 100 };

    /// The page a client asked for, brought into bounds.
    pub(crate) fn page(self, number: Option<i64>, size: Option<i64>, count: bool) -> Page {
        let bounded =
            |value: i64, cap: u32| u32::try_from(value.clamp(1, i64::from(cap))).unwrap_or(cap);
        Page {
            number: bounded(number.unwrap_or(1), u32::MAX),
            size: bounded(size.unwrap_or(i64::from(self.default)), self.cap),
            count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(family: Family, asked: (Option<i64>, Option<i64>), expected: (u32, u32)) {
        let page = family.page(asked.0, asked.1, false);
        assert_eq!((page.number, page.size), expected, "{asked:?}");
    }

    #[test]
    fn pages_are_brought_into_bounds() {
        check(Family::BY_REF, (None, None), (1, 50));
        check(Family::EXECUTIONS, (None, None), (1, 20));
        check(Family::EXECUTIONS, (Some(3), Some(7)), (3, 7));
        check(Family::BY_REF, (Some(0), Some(0)), (1, 1));
        check(Family::BY_REF, (Some(-5), Some(-5)), (1, 1));
        check(Family::BY_REF, (Some(i64::MAX), Some(i64::MAX)), (u32::MAX, 100));
        check(Family::EXECUTIONS, (Some(1), Some(101)), (1, 100));
    }
}
