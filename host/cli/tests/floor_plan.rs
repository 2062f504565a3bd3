//! The floor plan of the house, checked against the manifests (see `host/ARCHITECTURE.md`):
//! arrows go down only, rooms on one floor do not see each other, and each heavyweight
//! dependency lives in one room.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the manifests has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Floors from the bottom; a room sees only rooms on lower floors.
const FLOORS: [&[&str]; 4] = [
    &["domain"],
    &["store", "sandbox", "native", "orchestrator", "catalog", "egress", "vault"],
    &["api"],
    &["cli"],
];

/// Dependencies, by prefix of their names, that only one room may have.
const ONE_ROOM_ONLY: [(&str, &str); 12] = [
    ("sqlx", "store"),
    ("wasmtime", "sandbox"),
    ("hyper", "egress"),
    ("rustls", "egress"),
    ("tokio-rustls", "egress"),
    ("hickory", "egress"),
    ("aes", "vault"),
    ("axum", "api"),
    ("utoipa", "api"),
    ("clap", "cli"),
    ("figment", "cli"),
    // `metrics` itself is a facade, as `tracing` is.
    ("metrics-", "cli"),
];

/// What the nouns and pure rules must do without.
const NOT_IN_DOMAIN: [&str; 5] = ["tokio", "reqwest", "tracing-subscriber", "hyper", "metrics"];

/// What ends up in the product.
const PRODUCT: [&str; 2] = ["dependencies", "build-dependencies"];

const ALL: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

/// Versions below which a dependency lets a guest escape: major, minor, patch.
const VERSION_FLOORS: [(&str, [u64; 3]); 3] =
    [("wasmtime", [48, 0, 8]), ("wasmtime-wasi", [48, 0, 8]), ("wasmtime-wasi-http", [48, 0, 8])];

fn host() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: &Path) -> toml::Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

/// What every room depends on by these tables of its manifest.
fn rooms(tables: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let folders = fs::read_dir(host()).unwrap().map(|entry| entry.unwrap().path());
    let rooms = folders.filter(|path| path.join("Cargo.toml").exists());
    rooms
        .map(|path| {
            let room = path.file_name().unwrap().to_str().unwrap().to_owned();
            (room, dependencies(&read(&path.join("Cargo.toml")), tables))
        })
        .collect()
}

fn dependencies(manifest: &toml::Table, tables: &[&str]) -> BTreeSet<String> {
    let tables = tables.iter().filter_map(|name| manifest.get(*name)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

fn floor_of(room: &str) -> usize {
    let floor = FLOORS.iter().position(|rooms| rooms.contains(&room));
    floor.unwrap_or_else(|| panic!("room '{room}' has no floor: add it to FLOORS"))
}

/// Tests of a room may use a neighbour: a real store is worth more than a made-up one.
#[test]
fn arrows_go_down_only() {
    for (room, dependencies) in rooms(&PRODUCT) {
        let below = dependencies.iter().filter_map(|name| name.strip_prefix("attune-"));
        for other in below {
            assert!(
                floor_of(other) < floor_of(&room),
                "{room} depends on {other}, which is not on a lower floor"
            );
        }
    }
}

#[test]
fn each_heavyweight_lives_in_one_room() {
    for (room, dependencies) in rooms(&ALL) {
        for (prefix, home) in ONE_ROOM_ONLY {
            let foreign = dependencies.iter().find(|name| name.starts_with(prefix));
            assert!(
                room == home || foreign.is_none(),
                "{room} depends on {foreign:?}: {prefix} belongs in {home}"
            );
        }
    }
}

#[test]
fn the_domain_does_no_input_or_output() {
    let rooms = rooms(&ALL);
    for name in NOT_IN_DOMAIN {
        assert!(!rooms["domain"].contains(name), "domain depends on {name}");
    }
}

#[test]
fn versions_and_features_stand_in_the_workspace_only() {
    for room in rooms(&ALL).keys() {
        let manifest = read(&host().join(room).join("Cargo.toml"));
        for table in ALL {
            let Some(table) = manifest.get(table).and_then(toml::Value::as_table) else { continue };
            for (name, entry) in table {
                let inherited = entry.get("workspace").and_then(toml::Value::as_bool);
                let alone = entry.as_table().is_some_and(|entry| entry.len() == 1);
                assert!(inherited == Some(true) && alone, "{room}: write {name}.workspace = true");
            }
        }
    }
}

#[test]
fn versions_with_known_escapes_are_not_locked() {
    let lock = read(&host().join("../Cargo.lock"));
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let Some((_, floor)) = VERSION_FLOORS.iter().find(|(floored, _)| *floored == name) else {
            continue;
        };
        let version = package["version"].as_str().unwrap();
        let parts: Vec<u64> = version.split('.').map(|part| part.parse().unwrap()).collect();
        assert!(parts.as_slice() >= floor.as_slice(), "{name} {version} is below {floor:?}");
    }
}
