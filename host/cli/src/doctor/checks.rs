//! The checks themselves, in the order in which a start of the server would fail.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use attune_store::{Location, Schema};

use super::Check;
use crate::config::{Config, Confinement, NativeSettings, Switch};
use crate::data_dir::{DataDir, TakeError};
use crate::embedded;

/// Free bytes below which a server soon cannot store results.
const LITTLE_DISK: u64 = 500_000_000;

pub(super) async fn all(config: &Config) -> Vec<Check> {
    let (folder, running) = data_folder(&config.data_dir);
    let mut checks = vec![folder, free_disk(&config.data_dir), database(config).await];
    checks.extend([port(config, running), runtime(), compiled_runtime(&config.data_dir)]);
    checks.extend(confinement(config.confinement == Confinement::Required));
    if config.native.runs == Switch::On {
        checks.extend(native(&config.native));
    }
    checks
}

const DATA_FOLDER: &str = "data folder";

/// The folder, and whether a server holds it.
fn data_folder(path: &Path) -> (Check, bool) {
    let shown = path.display();
    let Ok(metadata) = path.metadata() else { return (missing_folder(path), false) };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let found = format!("{shown} can be entered by other users (mode {mode:o})");
        return (Check::bad(DATA_FOLDER, found, format!("chmod 700 {shown}")), false);
    }
    match DataDir::take(path) {
        Ok(_) => (Check::good(DATA_FOLDER, format!("{shown}, private")), false),
        Err(TakeError::InUse(_)) => {
            (Check::good(DATA_FOLDER, format!("{shown}, in use by a running server")), true)
        }
        Err(TakeError::Io(_, error)) => {
            let remedy = format!("let this user own it: sudo chown -R $USER {shown}");
            (Check::bad(DATA_FOLDER, format!("{shown}: {error}"), remedy), false)
        }
    }
}

fn missing_folder(path: &Path) -> Check {
    let (shown, parent) = (path.display(), existing(path));
    if rustix::fs::access(&parent, rustix::fs::Access::WRITE_OK).is_ok() {
        return Check::good(DATA_FOLDER, format!("{shown} will be made"));
    }
    let found = format!("{shown} cannot be made in {}", parent.display());
    Check::bad(DATA_FOLDER, found, "choose another with --data-dir, or let this user write there")
}

fn free_disk(path: &Path) -> Check {
    const NAME: &str = "free disk";
    match rustix::fs::statvfs(existing(path)) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} MB", free / 1_000_000);
            if free >= LITTLE_DISK {
                Check::good(NAME, found)
            } else {
                let remedy = "make room, or move the data folder: a full disk refuses new work";
                Check::bad(NAME, found, remedy)
            }
        }
        Err(error) => Check::bad(NAME, error.to_string(), "check the data folder's disk"),
    }
}

async fn database(config: &Config) -> Check {
    const NAME: &str = "database";
    let database = config.database();
    if let Location::File(path) = &database
        && !path.exists()
    {
        return Check::good(NAME, format!("{database} will be made"));
    }
    // Not opened, which would bring its schema up to date.
    match database.schema().await {
        Ok(Schema { found, known }) if found > known => {
            let problem = format!("{database} has schema {found}, this version knows {known}");
            Check::bad(NAME, problem, "run the version that made it")
        }
        Ok(Schema { found, known }) => {
            Check::good(NAME, format!("{database} answers; schema {found} of {known}"))
        }
        Err(error) => {
            let remedy = "check that it runs, the URL, and its permissions";
            let error = anyhow::Error::from(error);
            Check::bad(NAME, format!("{database}: {error:#}"), remedy)
        }
    }
}

fn port(config: &Config, running: bool) -> Check {
    const NAME: &str = "port";
    let address = config.listen;
    match TcpListener::bind(address) {
        Ok(_) => Check::good(NAME, format!("{address} is free")),
        Err(_) if running => Check::good(NAME, format!("{address} is in use by a server")),
        Err(error) => {
            let remedy = "free it, or choose another with --listen 127.0.0.1:PORT";
            Check::bad(NAME, format!("{address}: {error}"), remedy)
        }
    }
}

fn runtime() -> Check {
    let megabytes = embedded::PYTHON_WASM.len() / 1_000_000;
    let digest = &embedded::PYTHON_DIGEST[..12];
    Check::good("python runtime", format!("built in, {megabytes} MB, sha256 {digest}…"))
}

fn compiled_runtime(data: &Path) -> Check {
    let mut files = std::fs::read_dir(data.join("cache")).into_iter().flatten().flatten();
    let compiled = files.any(|file| {
        let path = PathBuf::from(file.file_name());
        path.extension().is_some_and(|extension| extension == "cwasm")
            && path.as_os_str().as_encoded_bytes().starts_with(embedded::PYTHON_DIGEST.as_bytes())
    });
    let found = if compiled { "compiled" } else { "will be compiled by the next start" };
    Check::good("python runtime on this machine", found)
}

/// The kernel's part of the second wall around runners.
fn confinement(required: bool) -> Vec<Check> {
    let report = attune_sandbox::probe_confinement();
    let needed = required && !report.sufficient;
    let check = |feature: attune_sandbox::Feature| {
        if feature.present {
            return Check::good(feature.name, feature.detail);
        }
        let check = Check::bad(feature.name, feature.detail, feature.remedy);
        if needed { check } else { check.optional() }
    };
    report.features.into_iter().map(check).collect()
}

/// What native runs have; the server starts without them.
fn native(settings: &NativeSettings) -> Vec<Check> {
    const NAME: &str = "native runs";
    let confined = match attune_native::probe() {
        Ok(found) if found.level >= settings.required() => {
            let applied = found.applied.join(", ");
            Check::good(NAME, format!("{}: {applied}", found.level.as_str()))
        }
        Ok(found) => {
            let found = format!("{} only: {}", found.level.as_str(), found.applied.join(", "));
            let remedy = "accept it with --native-confinement partial, or switch native runs off \
                          with --native-runs off";
            Check::bad(NAME, found, remedy).optional()
        }
        Err(missing) => {
            Check::bad(NAME, missing, "without them, switch native runs off with --native-runs off")
                .optional()
        }
    };
    let found = settings.interpreters();
    let interpreter = |name: &'static str, path: Option<PathBuf>| match path {
        Some(path) => Check::good(name, path.display().to_string()),
        None => Check::bad(name, "not found".to_owned(), "install it for the actions that need it")
            .optional(),
    };
    vec![
        confined,
        interpreter("bash", found.bash),
        interpreter("python", found.python),
        interpreter("node", found.node),
    ]
}

/// The nearest folder above that exists.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|folder| folder.is_dir());
    found.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
