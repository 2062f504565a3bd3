//! Every setting of the server: one struct, which is its flags, its environment
//! variables (`ATTUNE_…`) and its keys in `attune.toml` at once.
//!
//! A flag wins over a variable, a variable over the file, the file over the
//! default. What is given wrongly stops the start with its name. Secrets are no
//! settings: they come from the environment only, see [`environment`].

mod egress;
pub(crate) mod environment;
mod limits;
mod load;
mod native;

use std::net::SocketAddr;
use std::path::PathBuf;

use attune_store::{CONNECTIONS, Location};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

pub(crate) use egress::EgressSettings;
pub(crate) use limits::{ArchiveSettings, LimitSettings};
pub(crate) use load::load;
pub(crate) use native::NativeSettings;

/// The server's settings. An argument's id is its key in the file.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Settings file; without this `attune.toml` in the working directory is read if it exists
    #[arg(long = "config", env = "ATTUNE_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub file: Option<PathBuf>,

    /// Address and port of the API
    #[arg(long, env = "ATTUNE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,

    /// Address and port on which anybody may read the metrics and the health, for a private network;
    /// without this both are on the API's port, where the metrics need a token
    #[arg(long, env = "ATTUNE_METRICS_LISTEN", value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,

    /// Folder of everything the server keeps: database, packs, compiled code, scratch
    #[arg(long, env = "ATTUNE_DATA_DIR", default_value = "./data", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Database, `sqlite:PATH` or `postgres://USER@HOST/NAME`; without this `attune.db` in the data
    /// folder
    // A URL may hold a password, which the help must not show.
    #[arg(long, env = "ATTUNE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// Connections to a `PostgreSQL` database at once, besides three with a purpose of their own
    #[arg(
        long,
        env = "ATTUNE_DATABASE_CONNECTIONS",
        default_value_t = CONNECTIONS,
        value_name = "N"
    )]
    pub database_connections: u32,

    /// File of the master key, which wraps what stored values are sealed with: base64 of 32 bytes,
    /// the current one in the first line, older ones below. Without this, and without
    /// `ATTUNE_MASTER_KEY` and a command, `master.key` in the data folder, made at the first start
    #[arg(long, env = "ATTUNE_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,

    /// Command for the shell whose output is what such a file holds; to ask a key management system
    // It may name secrets, which the help must not show.
    #[arg(
        long,
        env = "ATTUNE_MASTER_KEY_COMMAND",
        hide_env_values = true,
        conflicts_with = "master_key_file",
        value_name = "COMMAND"
    )]
    pub master_key_command: Option<String>,

    /// What this server does; on `PostgreSQL`, servers may share the work
    #[arg(
        long,
        env = "ATTUNE_ROLES",
        value_delimiter = ',',
        value_name = "ROLE,…",
        default_value = "api,orchestrator,runner"
    )]
    pub roles: Vec<Role>,

    /// Name of this server's worker, unique among those that share a database; without this
    /// `attune-standalone`, on `PostgreSQL` `attune-HOST`
    #[arg(long, env = "ATTUNE_WORKER_NAME", value_name = "NAME")]
    pub worker_name: Option<String>,

    /// Seconds after which a server that gives no sign of life has lost what it runs
    #[arg(long, env = "ATTUNE_LEASE_SECONDS", default_value_t = 10, value_name = "SECONDS")]
    pub lease_seconds: u64,

    /// How the log on stderr is written; `auto` is pretty on a terminal, else JSON
    #[arg(long, env = "ATTUNE_LOG_FORMAT", default_value = "auto", value_name = "FORM")]
    pub log_format: LogFormat,

    /// What is logged: `info`, or by room as in `info,attune_api=debug`
    #[arg(long, env = "ATTUNE_LOG_LEVEL", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,

    /// Runner processes that a busy tenant gets; without this one for each core
    #[arg(long, env = "ATTUNE_RUNNERS", value_name = "N")]
    pub runners: Option<usize>,

    /// Runs that one runner hosts at once
    #[arg(long, env = "ATTUNE_PLACES_PER_RUNNER", default_value_t = 32, value_name = "N")]
    pub places_per_runner: usize,

    /// Interpreters that each runner keeps ready, about 2 MB each
    #[arg(long, env = "ATTUNE_PRIMED", default_value_t = 4, value_name = "N")]
    pub primed: usize,

    /// Runners that wait for a tenant to need them
    #[arg(long, env = "ATTUNE_SPARE_RUNNERS", default_value_t = 1, value_name = "N")]
    pub spare_runners: usize,

    /// Bytes of compiled code that the data folder keeps; what was used longest ago goes first
    #[arg(long, env = "ATTUNE_CACHE_BYTES", default_value_t = 1 << 30, value_name = "BYTES")]
    pub cache_bytes: u64,

    /// Whether the server may start where the kernel lacks a part of the runners' confinement
    #[arg(long, env = "ATTUNE_CONFINEMENT", default_value = "required", value_name = "RULE")]
    pub confinement: Confinement,

    /// Seconds that running work gets to finish after SIGTERM
    #[arg(long, env = "ATTUNE_DRAIN_SECONDS", default_value_t = 30, value_name = "SECONDS")]
    pub drain_seconds: u64,

    /// Whether people may create their own identity
    #[arg(long, env = "ATTUNE_SELF_REGISTRATION", default_value = "on", value_name = "SWITCH")]
    pub self_registration: Switch,

    /// Bytes of a JSON request
    #[arg(long, env = "ATTUNE_MAX_BODY_BYTES", default_value_t = 10_000_000, value_name = "BYTES")]
    pub max_body_bytes: usize,

    /// Bytes of an uploaded pack, compressed
    #[arg(
        long,
        env = "ATTUNE_MAX_UPLOAD_BYTES",
        default_value_t = 110_000_000,
        value_name = "BYTES"
    )]
    pub max_upload_bytes: usize,

    /// The longest time, in milliseconds, that an action's manifest may ask for
    #[arg(long, env = "ATTUNE_MAX_WALL_MS", default_value_t = 3_600_000, value_name = "MS")]
    pub max_wall_ms: u64,

    #[command(flatten)]
    pub egress: EgressSettings,

    #[command(flatten)]
    pub native: NativeSettings,

    #[command(flatten)]
    pub limits: LimitSettings,

    #[command(flatten)]
    pub archive: ArchiveSettings,
}

/// A part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Serves the API. A server without it answers the health routes and `/metrics` only.
    Api,
    /// Sees to what lost servers left.
    Orchestrator,
    /// Runs executions.
    Runner,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Auto,
    Pretty,
    Json,
}

/// What the server does where the kernel cannot confine a runner fully.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Confinement {
    /// It does not start.
    Required,
    /// It takes what there is, and says so.
    BestEffort,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Switch {
    On,
    Off,
}

impl Config {
    pub(crate) fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The name of this server's worker.
    pub(crate) fn worker_name(&self) -> String {
        match (&self.worker_name, self.database()) {
            (Some(name), _) => name.clone(),
            (None, Location::File(_)) => "attune-standalone".to_owned(),
            (None, Location::Postgres(_)) => {
                let system = rustix::system::uname();
                format!("attune-{}", system.nodename().to_string_lossy())
            }
        }
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> Location {
        let given = self.database_url.as_deref().and_then(Location::parse);
        given.unwrap_or_else(|| Location::File(self.data_dir.join("attune.db")))
    }
}
