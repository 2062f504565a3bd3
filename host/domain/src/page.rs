//! Pages of lists, as clients ask for them and as stores answer.

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// 1 is the first.
    pub number: u32,
    /// Rows on a page, at least 1.
    pub size: u32,
    /// Whether the rows of all pages are to be counted.
    pub count: bool,
}

impl Page {
    /// Rows before this page.
    pub fn offset(&self) -> i64 {
        i64::from(self.number.saturating_sub(1)) * i64::from(self.size)
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// The rows of this page, in the list's order.
    pub items: Vec<T>,
    /// Rows on all pages, when they were counted.
    pub total: Option<u64>,
    /// Whether a later page has rows.
    pub has_next: bool,
}
