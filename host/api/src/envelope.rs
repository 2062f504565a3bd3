//! The envelopes around what is answered (contract, "Envelopes").

use attune_domain::page::{Listing, Page};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// `{"data": …, "message"?: …}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Single<T> {
    pub(crate) data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

impl<T> Single<T> {
    pub(crate) fn new(data: T) -> Single<T> {
        Single { data, message: None }
    }
}

/// `{"items": […], "pagination": {…}}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) pagination: Pagination,
}

impl<T> List<T> {
    /// The page of a listing, each row made by `row`.
    pub(crate) fn of<R>(page: Page, listing: Listing<R>, row: impl FnMut(R) -> T) -> List<T> {
        let pagination = Pagination::of(page, listing.total, listing.has_next);
        List { items: listing.items.into_iter().map(row).collect(), pagination }
    }

    /// A list that is known to have no rows.
    pub(crate) fn empty(page: Page) -> List<T> {
        let total = page.count.then_some(0);
        List { items: Vec::new(), pagination: Pagination::of(page, total, false) }
    }
}

/// Where a page stands in its list. The totals are there when rows were counted.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Pagination {
    page: u32,
    page_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_pages: Option<u64>,
    has_previous: bool,
    has_next: bool,
}

impl Pagination {
    fn of(page: Page, total: Option<u64>, has_next: bool) -> Pagination {
        Pagination {
            page: page.number,
            page_size: page.size,
            total_items: total,
            total_pages: total.map(|rows| rows.div_ceil(u64::from(page.size.max(1)))),
            has_previous: page.number > 1,
            has_next,
        }
    }
}

/// What a delete answers, and other calls that return no object.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Success {
    success: bool,
    message: String,
}

impl Success {
    pub(crate) fn new(message: impl Into<String>) -> Success {
        Success { success: true, message: message.into() }
    }
}

/// The same fields under `data` and at the top level: some clients read one, some the other.
#[derive(Debug, ToSchema)]
#[schema(value_type = DoubleBody<T>)]
pub(crate) struct Double<T>(pub(crate) T);

#[derive(Serialize, ToSchema)]
pub(crate) struct DoubleBody<'a, T> {
    data: &'a T,
    #[serde(flatten)]
    top: &'a T,
}

impl<T: Serialize> Serialize for Double<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DoubleBody { data: &self.0, top: &self.0 }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    fn page(number: u32, size: u32, count: bool) -> Page {
        Page { number, size, count }
    }

    #[test]
    fn a_single_object_leaves_an_absent_message_out() {
        assert_eq!(to_value(Single::new(7)).unwrap(), json!({"data": 7}));
    }

    #[test]
    fn totals_are_left_out_when_nobody_counted() {
        let listing = Listing { items: vec![1, 2], total: None, has_next: true };
        let list = List::of(page(2, 2, false), listing, |row| row);
        let expected = json!({"items": [1, 2], "pagination":
            {"page": 2, "page_size": 2, "has_previous": true, "has_next": true}});
        assert_eq!(to_value(list).unwrap(), expected);
    }

    #[test]
    fn a_started_page_counts_as_one() {
        let listing = Listing { items: vec![1], total: Some(101), has_next: true };
        let list = to_value(List::of(page(1, 50, true), listing, |row: i32| row)).unwrap();
        assert_eq!(list["pagination"]["total_items"], 101);
        assert_eq!(list["pagination"]["total_pages"], 3);
        assert_eq!(list["pagination"]["has_previous"], false);
        let empty = to_value(List::<i32>::empty(page(1, 50, true))).unwrap();
        assert_eq!(empty["pagination"]["total_pages"], 0);
        assert_eq!(empty["items"], json!([]));
    }

    #[test]
    fn the_double_envelope_repeats_the_fields() {
        let body = to_value(Double(json!({"id": 3, "result": null}))).unwrap();
        assert_eq!(body, json!({"data": {"id": 3, "result": null}, "id": 3, "result": null}));
    }
}
