//! Actions: what a pack can do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Json;
use crate::clock::Timestamp;
use crate::egress::grant::HttpGrant;
use crate::id::{ActionId, PackId, TenantId};
use crate::pack::Pack;
use crate::words::words;

/// How parameters reach a script (contract, packs section 6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterDelivery {
    #[default]
    Stdin,
    File,
}

/// How parameters are written for a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterFormat {
    Dotenv,
    #[default]
    Json,
    Yaml,
}

/// How a script's stdout becomes `result.data`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    #[default]
    Text,
    Json,
    Yaml,
    Jsonl,
}

/// What happens to a run whose runner was lost when it may have started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLost {
    /// It ends `abandoned`.
    #[default]
    Abandon,
    /// It is started again, at most twice.
    Rerun,
}

words! {
    /// Where an action asks to run.
    #[derive(Default)]
    RunnerChoice {
        /// In the sandbox, if there is a runtime for it there.
        #[default]
        Auto = "auto",
        Wasm = "wasm",
        Native = "native",
    }
}

/// What an action's manifest says about how it runs; the API shows none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSpec {
    pub parameter_delivery: ParameterDelivery,
    pub parameter_format: ParameterFormat,
    pub output_format: OutputFormat,
    pub on_lost: OnLost,
    pub runner: RunnerChoice,
    /// Wall clock; none means the server's default.
    pub timeout: Option<Duration>,
    /// Bytes of memory; none means the server's default.
    pub memory_bytes: Option<u64>,
    /// What it may reach (`permissions.http`).
    pub http: Vec<HttpGrant>,
}

/// An action, as stored.
#[derive(Clone, Debug)]
pub struct Action {
    pub id: ActionId,
    pub tenant: TenantId,
    pub reference: String,
    pub pack: PackId,
    pub pack_ref: String,
    pub label: String,
    pub description: Option<String>,
    pub entrypoint: String,
    /// Canonical runtime ref such as `core.python`; none when the creator gave none.
    pub runtime_ref: Option<String>,
    pub param_schema: Option<Json>,
    pub out_schema: Option<Json>,
    /// Created by API rather than with its pack.
    pub is_adhoc: bool,
    pub accesses_mcp: bool,
    pub default_permission_sets: Vec<String>,
    /// Fields the contract echoes and this version does not act on
    /// (`worker_selector`, retention, version constraints …), by wire name.
    pub extra: Json,
    pub run: RunSpec,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// What is needed to create an [`Action`] in a pack.
#[derive(Clone, Debug)]
pub struct NewAction {
    pub reference: String,
    pub label: String,
    pub description: Option<String>,
    pub entrypoint: String,
    pub runtime_ref: Option<String>,
    pub param_schema: Option<Json>,
    pub out_schema: Option<Json>,
    pub is_adhoc: bool,
    pub accesses_mcp: bool,
    pub default_permission_sets: Vec<String>,
    pub extra: Json,
    pub run: RunSpec,
}

/// The parts of an action that `PUT /actions/{ref}` may change; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct ActionChange {
    pub label: Option<String>,
    pub description: Option<Option<String>>,
    pub entrypoint: Option<String>,
    pub runtime_ref: Option<String>,
    pub param_schema: Option<Json>,
    pub out_schema: Option<Json>,
    pub accesses_mcp: Option<bool>,
    pub default_permission_sets: Option<Vec<String>>,
    /// Keys to set in `extra`; null clears one.
    pub extra: Option<crate::JsonObject>,
}

/// An action together with the pack version that a run of it would use.
#[derive(Clone, Debug)]
pub struct RunnableAction {
    pub action: Action,
    pub pack: Pack,
}

/// The canonical ref of a runtime named in any of its spellings (contract, packs section 5).
/// Names that are not known are kept as they are: whether an action can run shows at execution.
pub fn runtime_ref(name: &str) -> &str {
    match name.strip_prefix("core.").unwrap_or(name) {
        "shell" | "bash" | "sh" => "core.shell",
        "python" | "python3" => "core.python",
        "node" | "nodejs" | "node.js" => "core.nodejs",
        "native" => "core.native",
        _ => name,
    }
}
