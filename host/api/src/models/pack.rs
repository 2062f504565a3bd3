//! Packs.

use attune_domain::pack::{NewPack, Pack, PackChange};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::input::{Checks, Patch, Validate};
use crate::problem::Problem;

#[derive(Deserialize, ToSchema)]
pub(crate) struct CreatePackRequest {
    #[schema(min_length = 1, max_length = 255)]
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    #[schema(min_length = 1, max_length = 255)]
    label: String,
    description: Option<String>,
    #[schema(min_length = 1, max_length = 50)]
    version: String,
    #[serde(default = "empty_object")]
    conf_schema: Value,
    #[serde(default = "empty_object")]
    config: Value,
    #[serde(default = "empty_object")]
    meta: Value,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    runtime_deps: Vec<String>,
    #[serde(default)]
    dependencies: Vec<String>,
    #[serde(default)]
    is_standard: bool,
}

fn empty_object() -> Value {
    json!({})
}

impl Validate for CreatePackRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default()
            .text("ref", &self.reference, 1, 255)
            .text("label", &self.label, 1, 255)
            .text("version", &self.version, 1, 50)
            .done()
    }
}

impl CreatePackRequest {
    pub(crate) fn into_new(self, created_by: attune_domain::id::IdentityId) -> NewPack {
        NewPack {
            reference: self.reference,
            label: self.label,
            description: self.description,
            version: self.version,
            conf_schema: self.conf_schema,
            config: self.config,
            meta: self.meta,
            tags: self.tags,
            runtime_deps: self.runtime_deps,
            dependencies: self.dependencies,
            is_standard: self.is_standard,
            created_by: Some(created_by),
        }
    }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdatePackRequest {
    #[schema(min_length = 1, max_length = 255)]
    label: Option<String>,
    description: Option<Patch<String>>,
    #[schema(min_length = 1, max_length = 50)]
    version: Option<String>,
    conf_schema: Option<Value>,
    config: Option<Value>,
    meta: Option<Value>,
    tags: Option<Vec<String>>,
    runtime_deps: Option<Vec<String>>,
    dependencies: Option<Vec<String>>,
    is_standard: Option<bool>,
}

impl Validate for UpdatePackRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default()
            .maybe("label", self.label.as_ref(), 1, 255)
            .maybe("version", self.version.as_ref(), 1, 50)
            .done()
    }
}

impl From<UpdatePackRequest> for PackChange {
    fn from(request: UpdatePackRequest) -> PackChange {
        PackChange {
            label: request.label,
            description: request.description.map(Patch::into_value),
            version: request.version,
            conf_schema: request.conf_schema,
            config: request.config,
            meta: request.meta,
            tags: request.tags,
            runtime_deps: request.runtime_deps,
            dependencies: request.dependencies,
            is_standard: request.is_standard,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PackResponse {
    id: i64,
    #[serde(rename = "ref")]
    reference: String,
    label: String,
    description: Option<String>,
    version: String,
    conf_schema: Value,
    config: Value,
    meta: Value,
    tags: Vec<String>,
    runtime_deps: Vec<String>,
    dependencies: Vec<String>,
    is_standard: bool,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl From<Pack> for PackResponse {
    fn from(pack: Pack) -> PackResponse {
        PackResponse {
            id: pack.id.0,
            reference: pack.reference,
            label: pack.label,
            description: pack.description,
            version: pack.version,
            conf_schema: pack.conf_schema,
            config: pack.config,
            meta: pack.meta,
            tags: pack.tags,
            runtime_deps: pack.runtime_deps,
            dependencies: pack.dependencies,
            is_standard: pack.is_standard,
            created: pack.created,
            updated: pack.updated,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PackSummary {
    id: i64,
    #[serde(rename = "ref")]
    reference: String,
    label: String,
    description: Option<String>,
    version: String,
    tags: Vec<String>,
    is_standard: bool,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl From<Pack> for PackSummary {
    fn from(pack: Pack) -> PackSummary {
        PackSummary {
            id: pack.id.0,
            reference: pack.reference,
            label: pack.label,
            description: pack.description,
            version: pack.version,
            tags: pack.tags,
            is_standard: pack.is_standard,
            created: pack.created,
            updated: pack.updated,
        }
    }
}

/// The form of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form in the document; the parts are read one by one")]
pub(crate) struct UploadForm {
    /// A gzip tar; members rooted at `.` or one directory deep.
    #[schema(value_type = String, format = Binary)]
    pack: Vec<u8>,
    /// `true` replaces an installed pack of the same ref.
    force: Option<String>,
    /// `true` leaves the pack's own tests out.
    skip_tests: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PackInstallResponse {
    pack: PackResponse,
    /// This version runs no tests at installation.
    test_result: Option<Value>,
    tests_skipped: bool,
}

impl From<Pack> for PackInstallResponse {
    fn from(pack: Pack) -> PackInstallResponse {
        PackInstallResponse { pack: pack.into(), test_result: None, tests_skipped: true }
    }
}
