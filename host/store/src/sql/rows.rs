//! Between rows and nouns: columns read in order, JSON and times written.

use attune_domain::clock::Timestamp;
use attune_domain::page::{Listing, Page};
use attune_domain::store::{StoreError, StoreResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Decode, QueryBuilder, Row as _, Type};

use super::engine::{Engine, Pool, Row};
use crate::error::{Stored, corrupt};

/// Reads the columns of a row one after the other.
///
/// The list of a table's columns and the function that reads them stand side by side,
/// in one order; a join simply reads on.
pub(crate) struct Fields<'r> {
    row: &'r Row,
    next: usize,
    table: &'static str,
    id: i64,
}

impl<'r> Fields<'r> {
    pub(crate) fn of(row: &'r Row) -> Fields<'r> {
        Fields { row, next: 0, table: "", id: 0 }
    }

    /// Begins with the columns of `table`; the next one is its id.
    pub(crate) fn table(&mut self, table: &'static str) -> StoreResult<i64> {
        (self.table, self.id) = (table, 0);
        self.id = self.get()?;
        Ok(self.id)
    }

    pub(crate) fn get<T: Decode<'r, Engine> + Type<Engine>>(&mut self) -> StoreResult<T> {
        let column = self.next;
        self.next += 1;
        self.row.try_get(column).map_err(|problem| corrupt(self.table, self.id, problem))
    }

    /// The error of a row whose columns do not fit together.
    pub(crate) fn corrupt(&self, problem: &str) -> StoreError {
        corrupt(self.table, self.id, problem)
    }

    pub(crate) fn number(&mut self) -> StoreResult<u32> {
        let number: i64 = self.get()?;
        number.try_into().map_err(|problem| corrupt(self.table, self.id, problem))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> StoreResult<T> {
        let text: &str = self.get()?;
        serde_json::from_str(text).map_err(|problem| corrupt(self.table, self.id, problem))
    }

    pub(crate) fn optional_json<T: DeserializeOwned>(&mut self) -> StoreResult<Option<T>> {
        let text: Option<&str> = self.get()?;
        let value = text.map(serde_json::from_str).transpose();
        value.map_err(|problem| corrupt(self.table, self.id, problem))
    }

    pub(crate) fn time(&mut self) -> StoreResult<Timestamp> {
        let micros = self.get()?;
        let time = Timestamp::from_timestamp_micros(micros);
        time.ok_or_else(|| corrupt(self.table, self.id, "a time out of range"))
    }

    pub(crate) fn optional_time(&mut self) -> StoreResult<Option<Timestamp>> {
        let micros: Option<i64> = self.get()?;
        let time = micros.map(|micros| {
            let time = Timestamp::from_timestamp_micros(micros);
            time.ok_or_else(|| corrupt(self.table, self.id, "a time out of range"))
        });
        time.transpose()
    }

    /// A word of a closed set.
    pub(crate) fn word<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> StoreResult<T> {
        let word: &str = self.get()?;
        read(word).ok_or_else(|| corrupt(self.table, self.id, format!("unknown word '{word}'")))
    }
}

/// How JSON rests in the database.
pub(crate) fn json_text(value: &impl Serialize) -> String {
    // Only maps with keys other than strings and failing implementations of Serialize can
    // fail here, and the nouns have neither.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

pub(crate) fn optional_json_text(value: Option<&impl Serialize>) -> Option<String> {
    value.map(json_text)
}

pub(crate) fn micros(time: Timestamp) -> i64 {
    time.timestamp_micros()
}

/// Asks for one row more than the page holds, which tells whether there is a next page.
pub(crate) fn push_page(sql: &mut QueryBuilder<Engine>, page: Page) {
    sql.push(" LIMIT ").push_bind(i64::from(page.size) + 1);
    sql.push(" OFFSET ").push_bind(page.offset());
}

/// The number that a `SELECT COUNT(*)` gives.
pub(crate) async fn count(readers: &Pool, mut sql: QueryBuilder<Engine>) -> StoreResult<u64> {
    let row = sql.build().fetch_one(readers).await.stored()?;
    Ok(Fields::of(&row).get::<i64>()?.unsigned_abs())
}

/// A page from the rows of a query made with [`push_page`].
pub(crate) fn listing<T>(
    mut rows: Vec<Row>,
    page: Page,
    total: Option<u64>,
    read: impl Fn(&mut Fields<'_>) -> StoreResult<T>,
) -> StoreResult<Listing<T>> {
    let size = page.size as usize;
    let has_next = rows.len() > size;
    rows.truncate(size);
    let items = rows.iter().map(|row| read(&mut Fields::of(row))).collect::<StoreResult<_>>()?;
    Ok(Listing { items, total, has_next })
}

/// A LIKE pattern (with `ESCAPE '\'`) for texts that hold `part`.
pub(crate) fn containing(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for character in part.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_plain_text() {
        assert_eq!(containing(r"100%_a\b"), r"%100\%\_a\\b%");
    }
}
