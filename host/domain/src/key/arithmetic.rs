//! Counting in stored values.

use crate::Json;

/// Why a value cannot be counted up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    #[error("the value is no number")]
    NoNumber,
    #[error("the sum is larger than a number can be")]
    Overflow,
}

/// The sum of a stored value and `by`. Whole numbers stay whole, others stay what they are.
pub fn add(value: &Json, by: i64) -> Result<Json, NotCounted> {
    let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    if let Some(whole) = whole {
        let sum = whole + i128::from(by);
        let signed = i64::try_from(sum).map(Json::from);
        return signed
            .or_else(|_| u64::try_from(sum).map(Json::from))
            .map_err(|_| NotCounted::Overflow);
    }
    let number = value.as_f64().ok_or(NotCounted::NoNumber)?;
    #[expect(clippy::cast_precision_loss, reason = "the number is inexact already")]
    let sum = number + by as f64;
    serde_json::Number::from_f64(sum).map(Json::Number).ok_or(NotCounted::Overflow)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_stay_whole() {
        assert_eq!(add(&json!(41), 1), Ok(json!(42)));
        assert_eq!(add(&json!(-1), -1), Ok(json!(-2)));
        assert_eq!(add(&json!(i64::MAX), 1), Ok(json!(9_223_372_036_854_775_808_u64)));
        assert_eq!(add(&json!(9_223_372_036_854_775_808_u64), -1), Ok(json!(i64::MAX)));
    }

    #[test]
    fn other_numbers_stay_what_they_are() {
        assert_eq!(add(&json!(1.5), 1), Ok(json!(2.5)));
        assert_eq!(add(&json!(1.0), 1), Ok(json!(2.0)));
    }

    #[test]
    fn what_cannot_be_counted_is_told() {
        assert_eq!(add(&json!("1"), 1), Err(NotCounted::NoNumber));
        assert_eq!(add(&json!(null), 1), Err(NotCounted::NoNumber));
        assert_eq!(add(&json!(u64::MAX), 1), Err(NotCounted::Overflow));
        assert_eq!(add(&json!(i64::MIN), -1), Err(NotCounted::Overflow));
    }
}
