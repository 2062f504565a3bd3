//! `attune doctor`: what the server needs of this machine, and how to mend what is missing.
//!
//! It changes nothing that a start of the server would not change.

mod checks;

use serde::Serialize;

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Tone};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    name: &'static str,
    ok: bool,
    /// Whether the server cannot do without.
    needed: bool,
    found: String,
    /// How to mend it; none when it is in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, ok: true, needed: true, found: found.into(), remedy: None }
    }

    fn bad(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check { ok: false, remedy: Some(remedy.into()), ..Check::good(name, found) }
    }

    /// Something that the server can do without.
    fn optional(self) -> Check {
        Check { needed: false, ..self }
    }
}

/// Runs all checks and shows them; fails when something needed is missing.
pub(crate) async fn run(config: &Config, output: Output) -> Result<(), Failure> {
    let checks = checks::all(config).await;
    if output.is_json() {
        output.value(&serde_json::json!({"checks": checks}));
    } else {
        for check in &checks {
            show(output, check);
        }
    }
    match checks.iter().filter(|check| check.needed && !check.ok).count() {
        0 => Ok(()),
        missing => Err(Failure::new(
            Exit::Failed,
            format_args!("{missing} of {} checks found something that is needed", checks.len()),
        )),
    }
}

fn show(output: Output, check: &Check) {
    let tone = if check.ok { Tone::Good } else { Tone::Bad };
    let optional = if check.ok || check.needed { "" } else { " (not needed)" };
    output.mark(tone, &format!("{}: {}{optional}", check.name, check.found));
    if let Some(remedy) = &check.remedy {
        output.text(&format!("    {remedy}"));
    }
}
