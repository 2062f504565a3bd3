//! From a stored execution to the job a runner is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use attune_domain::access::Scope;
use attune_domain::action::{Action, ParameterDelivery, ParameterFormat, RunnableAction};
use attune_domain::egress::{API_TOKEN, Caller, Network};
use attune_domain::entry::entry_of;
use attune_domain::execution::Execution;
use attune_domain::execution::outcome::{self, Outcome};
use attune_domain::limits::Limits;
use attune_domain::runner::{Job, PARAMETER_FILE, Runtime};
use attune_domain::schema::{self, Violation};
use attune_domain::{Json, JsonObject, parameters};
use bytes::Bytes;
use serde_json::json;

use crate::commit;
use crate::shared::{Settings, Shared};

/// Whether the parameters fit the action, with its defaults filled in.
pub(crate) fn check_parameters(
    runnable: &RunnableAction,
    config: Option<&JsonObject>,
) -> Option<Violation> {
    filled(&runnable.action, config).err()
}

/// The job of an execution, or how it ends without one.
pub(crate) async fn job(
    shared: &Shared,
    execution: &Execution,
    runnable: &RunnableAction,
) -> Result<Job, Outcome> {
    let action = &runnable.action;
    let mut params = filled(action, execution.config.as_ref())
        .map_err(|violation| outcome::of_violation(&violation))?;
    let secrets = withhold(action, &mut params);
    let runtime = runtime(action).map_err(|problem| outcome::of_setup_problem(&problem))?;
    let Some(digest) = runnable.pack.digest.as_deref().filter(|_| !action.is_adhoc) else {
        let problem = format!("action '{}' has no executable content", action.reference);
        return Err(outcome::of_setup_problem(&problem));
    };
    let tenant = runnable.pack.tenant;
    let folder = commit::for_sure(shared, || shared.folders.folder(tenant, digest)).await;
    let folder = folder.unwrap_or_else(|error| {
        Err(format!("the files of pack version {digest} cannot be read: {error}"))
    });
    let pack_folder = folder.map_err(|problem| outcome::of_setup_problem(&problem))?;
    let text = Bytes::from(parameters::encode(action.run.parameter_format, &params));
    let (stdin, parameter_file) = match action.run.parameter_delivery {
        ParameterDelivery::Stdin => (text, None),
        ParameterDelivery::File => (Bytes::new(), Some(text)),
    };
    Ok(Job {
        caller: Caller {
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
        },
        runtime,
        pack_folder,
        entry: entry_of(&action.entrypoint),
        env: environment(&shared.settings, execution, action),
        stdin,
        parameter_file,
        context: context(execution, action),
        params,
        limits: limits(&shared.settings, action),
    })
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

fn filled(action: &Action, config: Option<&JsonObject>) -> Result<JsonObject, Violation> {
    let empty = JsonObject::new();
    let config = config.unwrap_or(&empty);
    let Some(schema) = &action.param_schema else { return Ok(config.clone()) };
    let filled = schema::fill_defaults(schema, config);
    schema::check(schema, &filled)?;
    Ok(filled)
}

fn runtime(action: &Action) -> Result<Runtime, String> {
    match action.runtime_ref.as_deref() {
        Some("core.python") => Ok(Runtime::Python),
        Some(other) => Err(format!(
            "action '{}' asks for runtime '{other}', which this server does not have; \
             it has core.python",
            action.reference
        )),
        None => Err(format!("action '{}' names no runtime", action.reference)),
    }
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

/// What the guest finds in its environment (contract, packs section 6.3).
fn environment(
    settings: &Settings,
    execution: &Execution,
    action: &Action,
) -> BTreeMap<String, String> {
    let reserved = |name: &str| name.starts_with("ATTUNE_");
    let mut env: BTreeMap<String, String> = execution
        .env_vars
        .iter()
        .filter(|(name, _)| !reserved(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut set = |name: &str, value: &str| env.insert(format!("ATTUNE_{name}"), value.to_owned());
    set("EXEC_ID", &execution.id.to_string());
    set("ACTION", &action.reference);
    set("PACK_REF", &action.pack_ref);
    set("API_URL", &settings.api_url);
    if !permission_sets(execution, action).is_empty() {
        set("API_TOKEN", API_TOKEN);
    }
    set("ARTIFACTS_DIR", "/tmp");
    set("RUNTIME_ENVS_DIR", "/tmp");
    let run = &action.run;
    set("PARAMETER_FORMAT", format_word(run.parameter_format));
    match run.parameter_delivery {
        ParameterDelivery::Stdin => set("PARAMETER_DELIVERY", "stdin"),
        ParameterDelivery::File => {
            set("PARAMETER_FILE", PARAMETER_FILE);
            set("PARAMETER_DELIVERY", "file")
        }
    };
    let context = execution.config.as_ref().and_then(|config| config.get("context"));
    for (key, value) in context.and_then(Json::as_object).into_iter().flatten() {
        let name = format!("CONTEXT_{}", key.to_uppercase());
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // No process can have such a variable. The action finds it in its parameters.
        if !name.contains(['=', '\0']) && !value.contains('\0') {
            set(&name, &value);
        }
    }
    env
}

fn format_word(format: ParameterFormat) -> &'static str {
    match format {
        ParameterFormat::Dotenv => "dotenv",
        ParameterFormat::Json => "json",
        ParameterFormat::Yaml => "yaml",
    }
}

/// What a function of the function contract is told beside its parameters.
fn context(execution: &Execution, action: &Action) -> JsonObject {
    let context = json!({
        "execution_id": execution.id,
        "action_ref": action.reference,
        "pack_ref": action.pack_ref,
    });
    context.as_object().cloned().unwrap_or_default()
}
