//! Puts the settings together from the file and the command line, and checks them.

use std::path::{Path, PathBuf};

use attune_store::Location;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, FromArgMatches};
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};

use super::{Config, environment};
use crate::failure::{Exit, Failure};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "attune.toml";

/// The settings in force, from the parsed arguments (which hold the `ATTUNE_…` variables).
pub(crate) fn load(matches: &ArgMatches) -> Result<Config, Failure> {
    environment::refuse_unknown_variables()?;
    assemble(matches)
}

fn assemble(matches: &ArgMatches) -> Result<Config, Failure> {
    let arguments = Config::from_arg_matches(matches).map_err(Failure::usage)?;
    let mut settings = Figment::from(Serialized::defaults(&arguments));
    if let Some(file) = settings_file(&arguments)? {
        settings = settings.merge(Toml::file_exact(file));
    }
    let given = given_settings(matches, &arguments)?;
    let merged = settings.merge(Serialized::defaults(given));
    let config: Config = merged.extract().map_err(|error| explain(&error))?;
    check(&config)?;
    Ok(config)
}

fn settings_file(arguments: &Config) -> Result<Option<PathBuf>, Failure> {
    match &arguments.file {
        Some(named) if named.is_file() => Ok(Some(named.clone())),
        Some(named) => Err(Failure::usage(format_args!(
            "--config (ATTUNE_CONFIG): there is no file {}",
            named.display()
        ))),
        None => Ok(Some(PathBuf::from(DEFAULT_FILE)).filter(|path| Path::new(path).is_file())),
    }
}

/// The settings that stand on the command line or in the environment, by their keys.
fn given_settings(matches: &ArgMatches, arguments: &Config) -> Result<Dict, Failure> {
    let all = Value::serialize(arguments).map_err(|error| explain(&error))?;
    let mut given = Dict::new();
    for id in matches.ids().map(clap::Id::as_str) {
        let source = matches.value_source(id);
        if matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
            && let Some(value) = all.find_ref(id)
        {
            insert(&mut given, id, value.clone());
        }
    }
    Ok(given)
}

fn insert(settings: &mut Dict, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(settings.insert(key.to_owned(), value)),
        Some((table, rest)) => {
            let empty = || Value::from(Dict::new());
            if let Value::Dict(_, inner) = settings.entry(table.to_owned()).or_insert_with(empty) {
                insert(inner, rest, value);
            }
        }
    }
}

/// The first problem figment found: which key of which file, and how it is written.
fn explain(error: &figment::Error) -> Failure {
    let file = error.metadata.as_ref().and_then(|metadata| metadata.source.as_ref());
    let place = file.map(|file| format!("{file}: ")).unwrap_or_default();
    let key = error.path.join(".");
    if let Kind::UnknownField(unknown, _) = &error.kind {
        let named = if error.path.last() == Some(unknown) { &key } else { unknown };
        return Failure::usage(format_args!("{place}unknown setting '{named}'"))
            .remedy("attune serve --help lists them");
    }
    if key.is_empty() {
        let problem = error.kind.to_string();
        let line: Vec<&str> = problem.split_whitespace().collect();
        return Failure::usage(format_args!("{place}{}", line.join(" ")));
    }
    let failure = Failure::usage(format_args!("{place}setting '{key}': {}", error.kind));
    match example(&key) {
        Some(example) => failure.remedy(format_args!("for example {example}")),
        None => failure,
    }
}

/// A setting as it may stand in the file, from its default.
fn example(key: &str) -> Option<String> {
    let command = Config::augment_args(clap::Command::new("serve"));
    let argument = command.get_arguments().find(|argument| argument.get_id() == key)?;
    let default = argument.get_default_values().first()?.to_str()?;
    let value = match default.parse::<u64>() {
        Ok(_) => default.to_owned(),
        Err(_) => format!("\"{default}\""),
    };
    Some(match key.split_once('.') {
        Some((table, key)) => format!("[{table}] {key} = {value}"),
        None => format!("{key} = {value}"),
    })
}

/// What types cannot say.
fn check(config: &Config) -> Result<(), Failure> {
    if config.master_key_file.is_some() && config.master_key_command.is_some() {
        return Err(Failure::usage(
            "master_key_file (--master-key-file, ATTUNE_MASTER_KEY_FILE) and master_key_command \
             (--master-key-command, ATTUNE_MASTER_KEY_COMMAND): give one of them",
        ));
    }
    if let Some(url) = &config.database_url
        && Location::parse(url).is_none()
    {
        // The rest of the URL may hold a password.
        let scheme = url.split(':').next().unwrap_or_default();
        return Err(Failure::usage(format_args!(
            "database_url (--database-url, ATTUNE_DATABASE_URL): '{scheme}:' is no database that \
             attune knows"
        ))
        .remedy(
            "for example sqlite:/var/lib/attune/attune.db, or postgres://attune@localhost/attune",
        ));
    }
    let at_least_one = [
        ("runners", config.runners.unwrap_or(1) as u64),
        ("places_per_runner", config.places_per_runner as u64),
        ("lease_seconds", config.lease_seconds),
        ("database_connections", config.database_connections.into()),
        ("roles", config.roles.len() as u64),
        ("max_body_bytes", config.max_body_bytes as u64),
        ("max_upload_bytes", config.max_upload_bytes as u64),
        ("limits.wall_ms", config.limits.wall_ms),
        ("limits.fuel", config.limits.fuel),
        ("limits.memory_bytes", config.limits.memory_bytes),
    ];
    match at_least_one.iter().find(|(_, value)| *value == 0) {
        Some((key, _)) => Err(Failure::new(
            Exit::Usage,
            format_args!("setting '{key}': 0 is not possible, it must be at least 1"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use attune_domain::limits::Limits;

    use super::*;

    fn load_with(file: &str, flags: &[&str]) -> Result<Config, String> {
        let mut settings = tempfile::NamedTempFile::new().unwrap();
        settings.write_all(file.as_bytes()).unwrap();
        let path = settings.path().to_str().unwrap();
        let command = Config::augment_args(clap::Command::new("serve"));
        let matches = command.get_matches_from([&["serve", "--config", path], flags].concat());
        assemble(&matches).map_err(|failure| failure.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_rooms() {
        let config = load_with("", &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(Limits::from(&config.limits), Limits::default());
        assert_eq!(config.database(), Location::File("./data/attune.db".into()));
    }

    #[test]
    fn the_file_wins_over_the_default_and_a_flag_over_the_file() {
        let file = "drain_seconds = 5\nlisten = \"127.0.0.1:1\"\n[limits]\nwall_ms = 7\nfuel = 8\n";
        let config =
            load_with(file, &["--listen", "127.0.0.1:2", "--limits-wall-ms", "9"]).unwrap();
        assert_eq!((config.drain_seconds, config.listen.port()), (5, 2));
        assert_eq!((config.limits.wall_ms, config.limits.fuel), (9, 8));
        assert_eq!(config.limits.open_files, Limits::default().open_files);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |file: &str| load_with(file, &[]).unwrap_err();
        assert!(problem("listne = 1").contains("unknown setting 'listne'"));
        assert!(problem("[limits]\nwal_ms = 1").contains("unknown setting 'limits.wal_ms'"));
        let wrong = problem("[limits]\nwall_ms = \"long\"");
        assert!(wrong.contains("setting 'limits.wall_ms'"), "{wrong}");
        assert!(wrong.contains("for example [limits] wall_ms = 300000"), "{wrong}");
        assert!(problem("places_per_runner = 0").contains("'places_per_runner': 0"));
    }

    #[test]
    fn another_database_is_refused_without_its_password() {
        let url = "database_url = \"mysql://user:hunter22@host/db\"";
        let problem = load_with(url, &[]).unwrap_err();
        assert!(problem.contains("ATTUNE_DATABASE_URL") && problem.contains("mysql:"));
        assert!(!problem.contains("hunter22"));
        let config = load_with("database_url = \"sqlite:///var/a.db\"", &[]).unwrap();
        assert_eq!(config.database(), Location::File("/var/a.db".into()));
    }

    #[test]
    fn every_setting_is_a_flag_a_variable_and_a_key() {
        let config = load_with("", &[]).unwrap();
        let keys = Value::serialize(&config).unwrap();
        let command = Config::augment_args(clap::Command::new("serve"));
        for argument in command.get_arguments().filter(|argument| argument.get_id() != "file") {
            let key = argument.get_id().as_str();
            assert!(keys.find_ref(key).is_some(), "{key} is no key of the file");
            let flag = key.replace(['.', '_'], "-");
            assert_eq!(argument.get_long(), Some(flag.as_str()));
            let variable = format!("ATTUNE_{}", key.replace('.', "_").to_uppercase());
            assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
        }
    }
}
