//! The log: to stderr, pretty for people, JSON for collectors. Numbers are in [`measurements`].

pub(crate) mod measurements;
mod process;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::failure::Failure;

/// Of what name servers answer, they warn in words that the name servers choose.
const QUIET: &str = "hickory_net=error,hickory_proto=error,hickory_resolver=error";

/// Starts the log of this process.
pub(crate) fn start(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.log_level)).map_err(|error| {
        Failure::usage(format_args!("log_level (--log-level, ATTUNE_LOG_LEVEL): {error}"))
            .remedy("for example info,attune_api=debug")
    })?;
    let terminal = std::io::stderr().is_terminal();
    let pretty = match config.log_format {
        LogFormat::Pretty => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if pretty {
        log.with_ansi(terminal).with_target(false).init();
    } else {
        // The list of spans has the current one as its last.
        log.json().flatten_event(true).with_current_span(false).init();
    }
    Ok(())
}
