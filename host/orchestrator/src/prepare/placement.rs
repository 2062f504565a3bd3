//! Where an action runs: in the sandbox if it can, natively if it must or asks for it.

use attune_domain::action::{Action, RunnerChoice};
use attune_domain::native::Interpreter;
use attune_domain::runner::Runtime;

/// Where, and by whom it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    Sandbox(Runtime),
    Native(Native),
}

/// What a native run runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Native {
    /// The entry point itself, as a bash script.
    Script,
    /// The entry point's file.
    File(Interpreter),
}

/// Whether the entry point is the script itself.
pub(super) fn is_script(action: &Action) -> bool {
    action.is_adhoc && action.runtime_ref.as_deref() == Some("core.shell")
}

/// The text of an error is for the action's author.
pub(super) fn of(action: &Action) -> Result<Placement, String> {
    let Some(runtime) = action.runtime_ref.as_deref() else {
        return Err(format!("action '{}' names no runtime", action.reference));
    };
    let asks = action.run.runner;
    let file = |interpreter| Placement::Native(Native::File(interpreter));
    let placement = match runtime {
        "core.python" if asks == RunnerChoice::Native => file(Interpreter::Python),
        "core.python" => Placement::Sandbox(Runtime::Python),
        "core.shell" if is_script(action) => Placement::Native(Native::Script),
        "core.shell" => file(Interpreter::Bash),
        "core.nodejs" => file(Interpreter::Node),
        "core.native" => file(Interpreter::Itself),
        other => {
            return Err(format!(
                "action '{}' asks for runtime '{other}', which this server does not have; it has \
                 core.python, core.shell, core.nodejs and core.native",
                action.reference
            ));
        }
    };
    if asks == RunnerChoice::Wasm && matches!(placement, Placement::Native(_)) {
        return Err(format!(
            "action '{}' asks for `runner: wasm`, and the sandbox has no {runtime}; it has \
             core.python",
            action.reference
        ));
    }
    Ok(placement)
}
