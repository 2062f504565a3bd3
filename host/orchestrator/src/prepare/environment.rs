//! What a run finds in its environment, and what a function is told.

use std::collections::BTreeMap;

use attune_domain::action::{Action, ParameterDelivery, ParameterFormat};
use attune_domain::egress::API_TOKEN;
use attune_domain::execution::Execution;
use attune_domain::runner::PARAMETER_FILE;
use attune_domain::{Json, JsonObject};
use serde_json::json;

use super::permission_sets;
use crate::shared::Settings;

/// What the run finds in its environment (contract, packs section 6.3).
pub(super) fn environment(
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
pub(super) fn context(execution: &Execution, action: &Action) -> JsonObject {
    let context = json!({
        "execution_id": execution.id,
        "action_ref": action.reference,
        "pack_ref": action.pack_ref,
    });
    context.as_object().cloned().unwrap_or_default()
}
