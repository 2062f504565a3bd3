//! Length and range checks of request bodies (contract, models section 3).

use attune_domain::Json;
use attune_domain::schema::check_schema;

use crate::problem::Problem;

/// What a request body must fulfil beyond its shape.
pub(crate) trait Validate {
    fn validate(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// Checks of several fields; the first that fails is reported.
#[derive(Default)]
pub(crate) struct Checks(Option<Problem>);

impl Checks {
    /// A text of `min` to `max` characters.
    pub(crate) fn text(mut self, field: &str, value: &str, min: usize, max: usize) -> Checks {
        let length = value.chars().count();
        if self.0.is_none() && !(min..=max).contains(&length) {
            let bounds = match (min, max) {
                (min, usize::MAX) => format!("must have at least {min} characters"),
                (0, max) => format!("must have at most {max} characters"),
                (min, max) => format!("must have {min} to {max} characters"),
            };
            self.0 = Some(Problem::invalid(field, format!("{bounds}, not {length}")));
        }
        if self.0.is_none() && value.contains('\0') {
            self.0 = Some(Problem::invalid(field, "must not hold a NUL character"));
        }
        self
    }

    /// A text that may be absent.
    pub(crate) fn maybe(
        self,
        field: &str,
        value: Option<&String>,
        min: usize,
        max: usize,
    ) -> Checks {
        match value {
            Some(value) => self.text(field, value, min, max),
            None => self,
        }
    }

    /// A text without capital letters.
    pub(crate) fn lower_case(mut self, field: &str, value: &str) -> Checks {
        if self.0.is_none() && value.chars().any(char::is_uppercase) {
            self.0 = Some(Problem::invalid(field, "must be lower-case"));
        }
        self
    }

    /// A number of at least 1 that may be absent.
    pub(crate) fn positive(mut self, field: &str, value: Option<i64>) -> Checks {
        if self.0.is_none() && value.is_some_and(|value| value < 1) {
            self.0 = Some(Problem::invalid(field, "must be at least 1"));
        }
        self
    }

    /// A parameter schema that may be absent.
    pub(crate) fn param_schema(mut self, value: Option<&Json>) -> Checks {
        let problem = value.and_then(|schema| check_schema(schema).err());
        if let (None, Some(problem)) = (&self.0, problem) {
            self.0 = Some(Problem::invalid("param_schema", problem.to_string()));
        }
        self
    }

    pub(crate) fn done(self) -> Result<(), Problem> {
        self.0.map_or(Ok(()), Err)
    }
}
