//! `actions/*.yaml`.

use std::num::NonZeroU32;
use std::time::Duration;

use attune_domain::Json;
use attune_domain::action::{
    NewAction, OnLost, OutputFormat, ParameterDelivery, ParameterFormat, RunSpec, RunnerChoice,
    runtime_ref,
};
use attune_domain::egress::grant::HttpGrant;
use attune_domain::entry::entry_of;
use attune_domain::schema::check_schema;
use serde::Deserialize;

use super::echoed::Echoed;
use super::permissions::{PermissionsYaml, http_grants};
use super::{ManifestError, reference, yaml};
use crate::files::{PackFile, PackFiles};

const DEFAULT_RUNNER: &str = "shell";
/// The one runtime whose entry point need not be a file of the pack.
const NATIVE: &str = "core.native";

#[derive(Debug, Deserialize)]
struct ActionYaml {
    #[serde(rename = "ref")]
    reference: Option<String>,
    label: Option<String>,
    name: Option<String>,
    description: Option<String>,
    enabled: Option<bool>,
    runner_type: Option<String>,
    entry_point: Option<String>,
    workflow_file: Option<String>,
    parameters: Option<Json>,
    output: Option<Json>,
    output_schema: Option<Json>,
    accesses_mcp: Option<bool>,
    default_execution_permission_set_refs: Option<Vec<String>>,
    parameter_delivery: Option<ParameterDelivery>,
    parameter_format: Option<ParameterFormat>,
    output_format: Option<OutputFormat>,
    on_lost: Option<OnLost>,
    runner: Option<RunnerChoice>,
    /// Seconds.
    timeout: Option<NonZeroU32>,
    /// MiB.
    memory_mb: Option<NonZeroU32>,
    permissions: Option<PermissionsYaml>,
}

/// Reads one action; none if its author has switched it off.
pub(super) fn read(
    path: &str,
    file: &PackFile,
    pack_ref: &str,
    files: &PackFiles,
) -> Result<Option<NewAction>, ManifestError> {
    let mut yaml: ActionYaml = yaml::read(path, &file.bytes)?;
    let echoed: Echoed = yaml::read(path, &file.bytes)?;
    let http = http_grants(path, yaml.permissions.take(), yaml.parameters.as_ref())?;
    let run = run_spec(&yaml, http);
    let runtime = runtime_ref(yaml.runner_type.as_deref().unwrap_or(DEFAULT_RUNNER)).to_owned();
    let entrypoint = entrypoint(path, &yaml, &runtime, files)?;
    let reference = reference::of_component(path, yaml.reference, pack_ref)?;
    let name = reference.rsplit('.').next().unwrap_or_default().to_owned();
    let action = NewAction {
        label: yaml.label.or(yaml.name).unwrap_or(name),
        description: yaml.description,
        entrypoint,
        runtime_ref: Some(runtime),
        param_schema: parameters(path, yaml.parameters)?,
        out_schema: yaml::schema(path, "output", yaml.output.or(yaml.output_schema))?,
        is_adhoc: false,
        accesses_mcp: yaml.accesses_mcp.unwrap_or(false),
        default_permission_sets: yaml.default_execution_permission_set_refs.unwrap_or_default(),
        extra: echoed.into_json(),
        run,
        reference,
    };
    Ok(yaml.enabled.unwrap_or(true).then_some(action))
}

fn parameters(path: &str, schema: Option<Json>) -> Result<Option<Json>, ManifestError> {
    let schema = yaml::schema(path, "parameters", schema)?;
    if let Some(problem) = schema.as_ref().and_then(|schema| check_schema(schema).err()) {
        return Err(ManifestError::new(path, problem.to_string()).key("parameters"));
    }
    Ok(schema)
}

fn run_spec(yaml: &ActionYaml, http: Vec<HttpGrant>) -> RunSpec {
    RunSpec {
        parameter_delivery: yaml.parameter_delivery.unwrap_or_default(),
        parameter_format: yaml.parameter_format.unwrap_or_default(),
        output_format: yaml.output_format.unwrap_or_default(),
        on_lost: yaml.on_lost.unwrap_or_default(),
        runner: yaml.runner.unwrap_or_default(),
        timeout: yaml.timeout.map(|seconds| Duration::from_secs(seconds.get().into())),
        memory_bytes: yaml.memory_mb.map(|mib| u64::from(mib.get()) << 20),
        http,
    }
}

/// The entry point as it is written. Unless a workflow or a native program stands behind it,
/// the file must be there: better told at the upload than at the first run.
fn entrypoint(
    path: &str,
    yaml: &ActionYaml,
    runtime: &str,
    files: &PackFiles,
) -> Result<String, ManifestError> {
    let error = |problem: String| ManifestError::new(path, problem).key("entry_point");
    let Some(entrypoint) = yaml.entry_point.as_ref().or(yaml.workflow_file.as_ref()) else {
        return Err(error("is missing".to_owned()).remedy("name a file below actions/"));
    };
    let file = entry_of(entrypoint).file;
    let needs_file = runtime != NATIVE && yaml.workflow_file.is_none();
    if needs_file && files.get(&file).is_none() {
        let problem = format!("names '{file}', which is not in the pack");
        return Err(error(problem).remedy("add the file or correct its name"));
    }
    Ok(entrypoint.clone())
}
