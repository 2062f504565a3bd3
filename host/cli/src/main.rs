//! The binary `attune`: the server, its client and its doctor.
//!
//! [`config`] has every setting, [`wire`] is the one place that names the concrete
//! types of the other rooms, [`serve`] is the server's life from start to drain.
//! The client's commands ([`commands`]) know the server by its API only.

mod args;
mod bootstrap;
mod client;
mod clock;
mod commands;
mod config;
mod data_dir;
mod database;
mod doctor;
mod embedded;
mod failure;
mod output;
mod secret;
mod serve;
mod telemetry;
mod wire;

use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use args::{Cli, Command};
use config::Config;
use failure::Failure;
use output::Output;

/// Hidden subcommand: become a sandbox runner.
const RUNNER: &str = "runner";
/// Hidden subcommand: become the launcher of native runs.
pub(crate) const NATIVE_LAUNCHER: &str = "native-launcher";

fn main() -> ExitCode {
    // They take no arguments, read no environment and must have a single thread: they branch
    // off before anything else happens.
    match std::env::args_os().nth(1) {
        Some(first) if first == RUNNER => return attune_sandbox::runner_main(),
        Some(first) if first == NATIVE_LAUNCHER => return attune_native::launcher_main(),
        _ => {}
    }
    let matches = Cli::command().get_matches();
    let parsed = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let output = Output::new(parsed.client.json);
    match run(parsed, &matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure.to_string());
            failure.exit.into()
        }
    }
}

fn run(parsed: Cli, matches: &ArgMatches) -> Result<(), Failure> {
    let output = Output::new(parsed.client.json);
    let config = || settings(matches);
    match parsed.command {
        Command::Serve(_) => serve::run(&config()?),
        Command::Doctor(_) => runtime()?.block_on(doctor::run(&config()?, output)),
        Command::Backup { target, .. } => {
            runtime()?.block_on(database::backup(&config()?, &target, output))
        }
        Command::Restore { source, .. } => {
            runtime()?.block_on(database::restore(&config()?, &source, output))
        }
        Command::Migrate { dry_run, .. } => {
            runtime()?.block_on(database::migrate(&config()?, dry_run, output))
        }
        Command::ResetPassword { login, password_stdin, .. } => {
            let config = config()?;
            let reset = database::reset_password(&config, &login, password_stdin, output);
            runtime()?.block_on(reset)
        }
        command => runtime()?.block_on(commands::run(&parsed.client, command)),
    }
}

fn settings(matches: &ArgMatches) -> Result<Config, Failure> {
    let (_, matches) = matches.subcommand().context("no subcommand")?;
    config::load(matches)
}

/// One thread is enough for a command.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
