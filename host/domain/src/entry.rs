//! Reads an action's `entry_point`: which file of the pack runs, and which contract.

use crate::runner::Entry;

/// The folder of a pack that entry points are relative to.
const ACTIONS: &str = "actions/";

/// Where a run of an action with this `entry_point` enters its pack.
///
/// Authors write `echo.py` or, redundantly, `actions/echo.py`; `greet.py:run` asks for the
/// function contract. A colon that no identifier follows belongs to the file's name.
pub fn entry_of(entrypoint: &str) -> Entry {
    let (file, function) = split_function(entrypoint);
    let below_actions = file.strip_prefix(ACTIONS).unwrap_or(file);
    Entry { file: format!("{ACTIONS}{below_actions}"), function: function.map(str::to_owned) }
}

fn split_function(entrypoint: &str) -> (&str, Option<&str>) {
    match entrypoint.rsplit_once(':') {
        Some((file, function)) if !file.is_empty() && is_identifier(function) => {
            (file, Some(function))
        }
        _ => (entrypoint, None),
    }
}

fn is_identifier(word: &str) -> bool {
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    word.chars().all(is_part) && word.starts_with(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entrypoint: &str, file: &str, function: Option<&str>) {
        let expected = Entry { file: file.to_owned(), function: function.map(str::to_owned) };
        assert_eq!(entry_of(entrypoint), expected);
    }

    #[test]
    fn a_file_is_below_actions_once() {
        check("echo.py", "actions/echo.py", None);
        check("actions/echo.py", "actions/echo.py", None);
        check("deep/er/echo.py", "actions/deep/er/echo.py", None);
    }

    #[test]
    fn an_identifier_after_the_last_colon_is_a_function() {
        check("greet.py:run", "actions/greet.py", Some("run"));
        check("actions/a.mjs:_main2", "actions/a.mjs", Some("_main2"));
        check("odd:name.py:run", "actions/odd:name.py", Some("run"));
    }

    #[test]
    fn any_other_colon_belongs_to_the_file() {
        check("greet.py:", "actions/greet.py:", None);
        check("greet.py:2nd", "actions/greet.py:2nd", None);
        check("a:b.py", "actions/a:b.py", None);
        check(":run", "actions/:run", None);
    }
}
