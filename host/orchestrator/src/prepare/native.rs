//! What a native run is given.

use std::collections::BTreeMap;

use attune_domain::action::{Action, RunnableAction};
use attune_domain::entry::entry_of;
use attune_domain::execution::Execution;
use attune_domain::execution::outcome::{self, Outcome};
use attune_domain::id::TenantId;
use attune_domain::loader_variables::loads_code;
use attune_domain::native::{Interpreter, NativeJob, Program};
use attune_domain::{JsonObject, shell};
use bytes::Bytes;

use super::placement::Native;
use super::secrets::Secrets;
use super::{caller, delivered, environment, filled, limits, no_content, pack_folder};
use crate::shared::{Settings, Shared};

/// Asked before anything is read or spawned for the run.
pub(super) fn check_policy(
    settings: &Settings,
    tenant: TenantId,
    action: &Action,
) -> Result<(), Outcome> {
    let policy = settings.native.check(tenant);
    policy.map_err(|problem| outcome::of_policy(&of(action, problem)))
}

/// The job of an execution, or how it ends without one.
pub(super) async fn job(
    shared: &Shared,
    execution: &Execution,
    runnable: &RunnableAction,
    how: Native,
    secrets: Secrets,
) -> Result<NativeJob, Outcome> {
    let action = &runnable.action;
    let mut params = filled(action, execution.config.as_ref())?;
    let pack_folder = pack_folder(shared, runnable).await?;
    let (program, stdin, parameter_file) = match how {
        // Its stdin is empty (contract, packs section 6.1).
        Native::Script => (script(action, &params, &secrets.values)?, Bytes::new(), None),
        Native::File(_) if action.is_adhoc || pack_folder.is_none() => {
            return Err(no_content(action));
        }
        Native::File(interpreter) => {
            let program = file(action, interpreter)?;
            params.extend(secrets.values);
            let (stdin, parameter_file) = delivered(action, &params);
            (program, stdin, parameter_file)
        }
    };
    Ok(NativeJob {
        caller: caller(shared, execution, action, BTreeMap::new()),
        program,
        pack_folder,
        env: harmless(environment(&shared.settings, execution, action)),
        stdin,
        parameter_file,
        limits: limits(&shared.settings, action),
    })
}

fn harmless(mut env: BTreeMap<String, String>) -> BTreeMap<String, String> {
    env.retain(|name, _| !loads_code(name));
    env
}

fn of(action: &Action, problem: &str) -> String {
    format!("action '{}' runs natively, and {problem}", action.reference)
}

fn script(action: &Action, params: &JsonObject, secrets: &JsonObject) -> Result<Program, Outcome> {
    let script = shell::script(&action.entrypoint, params, secrets);
    let script = script.map_err(|problem| outcome::of_parameters(&problem.to_string()))?;
    Ok(Program::Script(Bytes::from(script)))
}

/// What only the sandbox can do is refused rather than left out.
fn file(action: &Action, interpreter: Interpreter) -> Result<Program, Outcome> {
    let entry = entry_of(&action.entrypoint);
    if entry.function.is_some() {
        let problem = "a function as entry point needs the sandbox: name a script";
        return Err(outcome::of_setup_problem(&of(action, problem)));
    }
    if action.run.http.iter().any(|grant| !grant.secrets.is_empty()) {
        let problem = "`secrets` of `permissions.http` can be kept from it in the sandbox only";
        return Err(outcome::of_setup_problem(&of(action, problem)));
    }
    Ok(Program::File { interpreter, path: entry.file })
}
