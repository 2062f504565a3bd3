//! How many values a JSON text has, found out without making any.
//!
//! In memory, a value can take hundreds of times the bytes of its text: ten megabytes of
//! `{"":0},` are a gigabyte of objects. So texts of strangers are counted first.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Values (objects, lists, and what is in them) that a text may have: some 60 MB at the worst.
pub const MAX_VALUES: usize = 100_000;

/// Whether texts have more than [`MAX_VALUES`] values together. What is no JSON has few.
pub fn has_too_many_values<'t>(texts: impl IntoIterator<Item = &'t str>) -> bool {
    let mut count = 0;
    texts.into_iter().any(|text| {
        let mut text = serde_json::Deserializer::from_str(text);
        // An error is the limit, or for the parser to tell.
        let _counted_or_failed = Counter(&mut count).deserialize(&mut text);
        count > MAX_VALUES
    })
}

struct Counter<'a>(&'a mut usize);

impl<'de> DeserializeSeed<'de> for Counter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        *self.0 += 1;
        if *self.0 > MAX_VALUES {
            return Err(D::Error::custom("too many values"));
        }
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counter<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Counter(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while object.next_key::<IgnoredAny>()?.is_some() {
            object.next_value_seed(Counter(self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(of: &str, times: usize) -> String {
        format!("[{}]", vec![of; times].join(","))
    }

    #[test]
    fn every_value_counts() {
        assert!(!has_too_many_values([&*list("0", MAX_VALUES - 1)]));
        assert!(has_too_many_values([&*list("0", MAX_VALUES)]));
        assert!(has_too_many_values([&*list(r#"{"a":0}"#, MAX_VALUES / 2)]));
        assert!(!has_too_many_values([&*list(r#"{"a":[true,null,"x",-1,1.5]}"#, 1000)]));
        let half = list("0", MAX_VALUES / 2);
        assert!(has_too_many_values([&*half, &*half]));
    }

    #[test]
    fn a_long_text_is_one_value() {
        let text = format!("\"{}\"", ",".repeat(2 * MAX_VALUES));
        assert!(!has_too_many_values([&*text]));
    }

    #[test]
    fn what_is_no_json_is_left_to_the_parser() {
        assert!(!has_too_many_values(["{", ""]));
    }
}
