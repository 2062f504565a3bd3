//! The tables `[limits]` and `[archive]` of the settings. Their defaults are those of
//! the rooms that keep the limits.

use attune_catalog::ArchiveLimits;
use attune_domain::egress::HttpLimits;
use attune_domain::limits::Limits;
use clap::Args;
use serde::{Deserialize, Serialize};

/// What one run may use, unless its action's manifest asks for less.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Limits of one run")]
pub(crate) struct LimitSettings {
    /// Milliseconds from start to end
    #[arg(id = "limits.wall_ms", long = "limits-wall-ms", env = "ATTUNE_LIMITS_WALL_MS",
          default_value_t = Limits::default().wall_ms, value_name = "MS")]
    pub wall_ms: u64,

    /// wasmtime fuel, about one unit for one instruction
    #[arg(id = "limits.fuel", long = "limits-fuel", env = "ATTUNE_LIMITS_FUEL",
          default_value_t = Limits::default().fuel, value_name = "UNITS")]
    pub fuel: u64,

    /// Bytes of memory
    #[arg(id = "limits.memory_bytes", long = "limits-memory-bytes",
          env = "ATTUNE_LIMITS_MEMORY_BYTES",
          default_value_t = Limits::default().memory_bytes, value_name = "BYTES")]
    pub memory_bytes: u64,

    /// Bytes kept of stdout, and of stderr
    #[arg(id = "limits.stream_bytes", long = "limits-stream-bytes",
          env = "ATTUNE_LIMITS_STREAM_BYTES",
          default_value_t = Limits::default().stream_bytes, value_name = "BYTES")]
    pub stream_bytes: u64,

    /// Bytes written to stdout and stderr together, kept or not
    #[arg(id = "limits.output_bytes", long = "limits-output-bytes",
          env = "ATTUNE_LIMITS_OUTPUT_BYTES",
          default_value_t = Limits::default().output_bytes, value_name = "BYTES")]
    pub output_bytes: u64,

    /// Bytes in the scratch folder
    #[arg(id = "limits.scratch_bytes", long = "limits-scratch-bytes",
          env = "ATTUNE_LIMITS_SCRATCH_BYTES",
          default_value_t = Limits::default().scratch_bytes, value_name = "BYTES")]
    pub scratch_bytes: u64,

    /// Files and folders in the scratch folder
    #[arg(id = "limits.scratch_entries", long = "limits-scratch-entries",
          env = "ATTUNE_LIMITS_SCRATCH_ENTRIES",
          default_value_t = Limits::default().scratch_entries, value_name = "N")]
    pub scratch_entries: u64,

    /// Files open at once
    #[arg(id = "limits.open_files", long = "limits-open-files", env = "ATTUNE_LIMITS_OPEN_FILES",
          default_value_t = Limits::default().open_files, value_name = "N")]
    pub open_files: u32,

    /// Requests over the network at once
    #[arg(id = "limits.http_exchanges", long = "limits-http-exchanges",
          env = "ATTUNE_LIMITS_HTTP_EXCHANGES",
          default_value_t = HttpLimits::default().exchanges, value_name = "N")]
    pub http_exchanges: u32,

    /// Bytes of one request's body
    #[arg(id = "limits.http_request_bytes", long = "limits-http-request-bytes",
          env = "ATTUNE_LIMITS_HTTP_REQUEST_BYTES",
          default_value_t = HttpLimits::default().request_bytes, value_name = "BYTES")]
    pub http_request_bytes: u64,

    /// Bytes of one response's body
    #[arg(id = "limits.http_response_bytes", long = "limits-http-response-bytes",
          env = "ATTUNE_LIMITS_HTTP_RESPONSE_BYTES",
          default_value_t = HttpLimits::default().response_bytes, value_name = "BYTES")]
    pub http_response_bytes: u64,
}

impl From<&LimitSettings> for HttpLimits {
    fn from(settings: &LimitSettings) -> HttpLimits {
        HttpLimits {
            exchanges: settings.http_exchanges,
            request_bytes: settings.http_request_bytes,
            response_bytes: settings.http_response_bytes,
        }
    }
}

impl From<&LimitSettings> for Limits {
    fn from(settings: &LimitSettings) -> Limits {
        Limits {
            wall_ms: settings.wall_ms,
            fuel: settings.fuel,
            memory_bytes: settings.memory_bytes,
            stream_bytes: settings.stream_bytes,
            output_bytes: settings.output_bytes,
            scratch_bytes: settings.scratch_bytes,
            scratch_entries: settings.scratch_entries,
            open_files: settings.open_files,
        }
    }
}

/// How large an uploaded pack may be.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Limits of one pack")]
pub(crate) struct ArchiveSettings {
    /// Bytes once it is decompressed
    #[arg(id = "archive.extracted_bytes", long = "archive-extracted-bytes", env = "ATTUNE_ARCHIVE_EXTRACTED_BYTES",
          default_value_t = ArchiveLimits::default().extracted_bytes, value_name = "BYTES")]
    pub extracted_bytes: u64,

    /// Files, folders and headers
    #[arg(id = "archive.files", long = "archive-files", env = "ATTUNE_ARCHIVE_FILES",
          default_value_t = ArchiveLimits::default().files, value_name = "N")]
    pub files: u64,

    /// Bytes of one file
    #[arg(id = "archive.file_bytes", long = "archive-file-bytes", env = "ATTUNE_ARCHIVE_FILE_BYTES",
          default_value_t = ArchiveLimits::default().file_bytes, value_name = "BYTES")]
    pub file_bytes: u64,

    /// Bytes of one path
    #[arg(id = "archive.path_bytes", long = "archive-path-bytes", env = "ATTUNE_ARCHIVE_PATH_BYTES",
          default_value_t = ArchiveLimits::default().path_bytes, value_name = "BYTES")]
    pub path_bytes: u64,

    /// Names in one path
    #[arg(id = "archive.depth", long = "archive-depth", env = "ATTUNE_ARCHIVE_DEPTH",
          default_value_t = ArchiveLimits::default().depth, value_name = "N")]
    pub depth: u64,
}

impl From<&ArchiveSettings> for ArchiveLimits {
    fn from(settings: &ArchiveSettings) -> ArchiveLimits {
        ArchiveLimits {
            extracted_bytes: settings.extracted_bytes,
            files: settings.files,
            file_bytes: settings.file_bytes,
            path_bytes: settings.path_bytes,
            depth: settings.depth,
        }
    }
}
