//! From a stored execution to what a runner is given.
//!
//! [`placement`] decides where it runs, [`secrets`] are the keys that it sees, [`native`] is for runs outside the sandbox,
//! [`environment`] is what all of them find.

mod environment;
mod native;
mod placement;
mod secrets;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use attune_domain::access::Scope;
use attune_domain::action::{Action, ParameterDelivery, RunnableAction};
use attune_domain::egress::{Caller, Network};
use attune_domain::entry::entry_of;
use attune_domain::execution::Execution;
use attune_domain::execution::outcome::{self, Outcome, RanIn};
use attune_domain::id::TenantId;
use attune_domain::limits::Limits;
use attune_domain::native::NativeJob;
use attune_domain::redaction::Redaction;
use attune_domain::runner::{Job, Runtime};
use attune_domain::schema;
use attune_domain::secret_parameters::hidden_values;
use attune_domain::{Json, JsonObject, parameters};
use bytes::Bytes;

use self::environment::{context, environment};
use self::placement::Placement;
use self::secrets::Secrets;
use crate::commit;
use crate::shared::{Settings, Shared};

/// How an execution ends without a runner, if that can be said before anything is read for it.
pub(crate) fn refusal(
    settings: &Settings,
    tenant: TenantId,
    action: &Action,
    config: Option<&JsonObject>,
) -> Option<Outcome> {
    let fits = placed(settings, tenant, action).and_then(|_| filled(action, config));
    fits.err()
}

/// Where the action runs, if it may run there.
fn placed(settings: &Settings, tenant: TenantId, action: &Action) -> Result<Placement, Outcome> {
    let placement = placement::of(action);
    let placement = placement.map_err(|problem| outcome::of_setup_problem(&problem))?;
    if let Placement::Native(_) = placement {
        native::check_policy(settings, tenant, action)?;
    }
    Ok(placement)
}

/// A run, made ready.
#[derive(Clone)]
pub(crate) enum Work {
    Sandboxed(Job),
    Native(NativeJob),
}

impl Work {
    pub(crate) fn limits(&self) -> &Limits {
        match self {
            Work::Sandboxed(job) => &job.limits,
            Work::Native(job) => &job.limits,
        }
    }

    pub(crate) fn ran_in<'a>(&self, shared: &'a Shared) -> RanIn<'a> {
        match self {
            Work::Sandboxed(_) => RanIn::Sandbox,
            Work::Native(_) => {
                RanIn::Native(shared.native.as_ref().ok().map(|native| native.confinement()))
            }
        }
    }
}

/// A run, with what must not be kept of its output.
pub(crate) struct Ready {
    pub(crate) work: Work,
    pub(crate) redaction: Option<Redaction>,
}

/// What is to be done for an execution, or how it ends without that.
pub(crate) async fn ready(
    shared: &Shared,
    execution: &Execution,
    runnable: &RunnableAction,
) -> Result<Ready, Outcome> {
    let action = &runnable.action;
    let placement = placed(&shared.settings, execution.tenant, action)?;
    let secrets = Secrets::of(shared, execution, action).await?;
    let hidden = secret_parameters(execution).into_iter().chain(&secrets.hidden);
    let redaction = Redaction::of(hidden);
    let work = match placement {
        Placement::Sandbox(runtime) => {
            Work::Sandboxed(sandboxed(shared, execution, runnable, runtime, secrets).await?)
        }
        Placement::Native(how) => {
            Work::Native(native::job(shared, execution, runnable, how, secrets).await?)
        }
    };
    let redaction = redaction.map_err(|problem| outcome::of_setup_problem(&problem.to_string()))?;
    Ok(Ready { work, redaction })
}

fn secret_parameters(execution: &Execution) -> Vec<&Json> {
    match (&execution.config, &execution.redacted_config) {
        (Some(sent), Some(shown)) => hidden_values(sent, shown),
        _ => Vec::new(),
    }
}

async fn sandboxed(
    shared: &Shared,
    execution: &Execution,
    runnable: &RunnableAction,
    runtime: Runtime,
    secrets: Secrets,
) -> Result<Job, Outcome> {
    let action = &runnable.action;
    let entry = entry_of(&action.entrypoint);
    let mut params = filled(action, execution.config.as_ref())?;
    let mut secrets = secrets.values;
    let mut withheld = withhold(action, &mut params);
    withheld.extend(withhold(action, &mut secrets));
    let mut context = context(execution, action);
    // A function finds secrets in its context, a script among its parameters.
    if entry.function.is_some() {
        context.insert("secrets".to_owned(), secrets.into());
    } else {
        params.extend(secrets);
    }
    if action.is_adhoc {
        return Err(no_content(action));
    }
    let Some(pack_folder) = pack_folder(shared, runnable).await? else {
        return Err(no_content(action));
    };
    let (stdin, parameter_file) = delivered(action, &params);
    Ok(Job {
        caller: caller(shared, execution, action, withheld),
        runtime,
        pack_folder,
        entry,
        env: environment(&shared.settings, execution, action),
        stdin,
        parameter_file,
        context,
        params,
        limits: limits(&shared.settings, action),
    })
}

/// The files of the action's pack on this machine; none if it was made without any.
async fn pack_folder(
    shared: &Shared,
    runnable: &RunnableAction,
) -> Result<Option<PathBuf>, Outcome> {
    let Some(digest) = runnable.pack.digest.as_deref() else { return Ok(None) };
    let tenant = runnable.pack.tenant;
    let folder = commit::for_sure(shared, || shared.folders.folder(tenant, digest)).await;
    let folder = folder.unwrap_or_else(|error| {
        Err(format!("the files of pack version {digest} cannot be read: {error}"))
    });
    folder.map(Some).map_err(|problem| outcome::of_setup_problem(&problem))
}

fn no_content(action: &Action) -> Outcome {
    let problem = format!("action '{}' has no executable content", action.reference);
    outcome::of_setup_problem(&problem)
}

/// What is written to stdin, and what into a file.
fn delivered(action: &Action, params: &JsonObject) -> (Bytes, Option<Bytes>) {
    let text = Bytes::from(parameters::encode(action.run.parameter_format, params));
    match action.run.parameter_delivery {
        ParameterDelivery::Stdin => (text, None),
        ParameterDelivery::File => (Bytes::new(), Some(text)),
    }
}

fn caller(
    shared: &Shared,
    execution: &Execution,
    action: &Action,
    secrets: BTreeMap<String, String>,
) -> Caller {
    Caller {
        scope: Scope::of_execution(execution),
        execution: execution.id,
        action: action.reference.as_str().into(),
        executor: execution.executor,
        permission_sets: permission_sets(execution, action).into(),
        network: Arc::new(Network {
            grants: action.run.http.clone(),
            secrets,
            limits: shared.settings.http,
        }),
    }
}

/// What the execution may do in the API (contract, packs section 6.4): what was asked for, else
/// what its action has by default.
fn permission_sets<'a>(execution: &'a Execution, action: &'a Action) -> &'a [String] {
    execution.permission_set_refs.as_deref().unwrap_or(&action.default_permission_sets)
}

/// Takes away what the manifest wants the guest not to have, and leaves placeholders, which the
/// broker fills in.
fn withhold(action: &Action, params: &mut JsonObject) -> BTreeMap<String, String> {
    let mut secrets = BTreeMap::new();
    for name in action.run.http.iter().flat_map(|grant| &grant.secrets) {
        if secrets.contains_key(name) {
            continue;
        }
        if let Some(Json::String(value)) = params.get_mut(name) {
            let placeholder = format!("{{{{secret:{name}}}}}");
            secrets.insert(name.clone(), std::mem::replace(value, placeholder));
        }
    }
    secrets
}

/// The parameters with the action's defaults, if they fit its schema.
fn filled(action: &Action, config: Option<&JsonObject>) -> Result<JsonObject, Outcome> {
    let empty = JsonObject::new();
    let config = config.unwrap_or(&empty);
    // An ad-hoc script is given what was sent and nothing else (contract, packs section 6.1).
    if placement::is_script(action) {
        return Ok(config.clone());
    }
    let Some(schema) = &action.param_schema else { return Ok(config.clone()) };
    let filled = schema::fill_defaults(schema, config);
    schema::check(schema, &filled).map_err(|violation| outcome::of_violation(&violation))?;
    Ok(filled)
}

/// The action's own limits where it declares some, within what the server allows.
fn limits(settings: &Settings, action: &Action) -> Limits {
    let mut limits = settings.limits;
    if let Some(timeout) = action.run.timeout {
        let wall = timeout.min(settings.max_wall);
        limits.wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
    }
    if let Some(memory) = action.run.memory_bytes {
        limits.memory_bytes = memory.min(limits.memory_bytes);
    }
    limits
}
