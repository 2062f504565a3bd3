//! What the server takes from the environment besides its settings: secrets, and a
//! check that nobody misspelt a variable. Nothing else in the product reads it.

use std::ops::RangeInclusive;

use attune_domain::identity::PASSWORD_LENGTH;
use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::Failure;
use crate::secret::Secret;

/// Variables with a meaning that are no arguments of any subcommand.
const SECRETS: [&str; 6] = [
    "ATTUNE_BOOTSTRAP_LOGIN",
    "ATTUNE_BOOTSTRAP_PASSWORD",
    "ATTUNE_JWT_SECRET",
    "ATTUNE_MASTER_KEY",
    "ATTUNE__SECURITY__JWT_SECRET",
    "ATTUNE_PASSWORD",
];

/// Where the secret that signs tokens may stand, by precedence.
const JWT_SECRETS: [&str; 3] = ["JWT_SECRET", "ATTUNE__SECURITY__JWT_SECRET", "ATTUNE_JWT_SECRET"];

/// Bytes below which a signing secret can be guessed.
const SHORTEST_JWT_SECRET: usize = 16;

/// The first administrator's credentials, as far as they were given.
pub(crate) struct Bootstrap {
    pub login: Option<String>,
    pub password: Option<Secret>,
}

/// `ATTUNE_BOOTSTRAP_LOGIN` and `ATTUNE_BOOTSTRAP_PASSWORD`.
pub(crate) fn bootstrap() -> Result<Bootstrap, Failure> {
    let login = variable("ATTUNE_BOOTSTRAP_LOGIN");
    let password = variable("ATTUNE_BOOTSTRAP_PASSWORD");
    check_length("ATTUNE_BOOTSTRAP_LOGIN", login.as_deref(), &(3..=255))?;
    check_length("ATTUNE_BOOTSTRAP_PASSWORD", password.as_deref(), &PASSWORD_LENGTH)?;
    Ok(Bootstrap { login, password: password.map(Secret::new) })
}

/// The secret that signs tokens, if the environment has one.
pub(crate) fn jwt_secret() -> Result<Option<Secret>, Failure> {
    let found = JWT_SECRETS.into_iter().find_map(|name| Some((name, variable(name)?)));
    let Some((name, secret)) = found else { return Ok(None) };
    if secret.len() < SHORTEST_JWT_SECRET {
        return Err(Failure::usage(format_args!(
            "{name} is shorter than {SHORTEST_JWT_SECRET} bytes"
        ))
        .remedy("for example the output of: openssl rand -hex 32"));
    }
    Ok(Some(Secret::new(secret)))
}

/// `ATTUNE_MASTER_KEY`: what wraps the keys of stored values, if the environment has it.
pub(crate) fn master_key() -> Option<Secret> {
    variable("ATTUNE_MASTER_KEY").map(Secret::new)
}

/// `ATTUNE_PASSWORD`: the password for `attune login`.
pub(crate) fn password() -> Option<Secret> {
    variable("ATTUNE_PASSWORD").map(Secret::new)
}

/// `NO_COLOR`: the user wants no colour (no-color.org).
pub(crate) fn no_color() -> bool {
    variable("NO_COLOR").is_some()
}

/// The user's folder for settings of programs.
pub(crate) fn config_home() -> Option<std::path::PathBuf> {
    let home = || variable("HOME").map(|home| std::path::Path::new(&home).join(".config"));
    variable("XDG_CONFIG_HOME").map(Into::into).or_else(home)
}

/// An `ATTUNE_…` variable that means nothing is a misspelt setting: the start stops.
pub(crate) fn refuse_unknown_variables() -> Result<(), Failure> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    first_unknown(names).map_or(Ok(()), |unknown| {
        let failure = Failure::usage(format_args!("unknown variable {unknown}"));
        Err(failure.remedy("attune serve --help lists them; unset it if it is not for Attune"))
    })
}

fn first_unknown(mut names: impl Iterator<Item = String>) -> Option<String> {
    let known = known_variables(&Cli::command());
    names.find(|name| name.starts_with("ATTUNE_") && !known.contains(name))
}

fn known_variables(command: &clap::Command) -> Vec<String> {
    let arguments = command.get_arguments().filter_map(clap::Arg::get_env);
    let own = arguments.filter_map(|name| name.to_str().map(str::to_owned));
    let below = command.get_subcommands().flat_map(known_variables);
    own.chain(below).chain(SECRETS.map(str::to_owned)).collect()
}

/// Whether a text that may be absent has a length within `bounds`, in characters.
pub(crate) fn check_length(
    name: &str,
    value: Option<&str>,
    bounds: &RangeInclusive<usize>,
) -> Result<(), Failure> {
    if value.is_none_or(|value| bounds.contains(&value.chars().count())) {
        return Ok(());
    }
    let (shortest, longest) = (bounds.start(), bounds.end());
    Err(Failure::usage(format_args!("{name} must have {shortest} to {longest} characters")))
}

/// A variable; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(names: &[&str]) -> Option<String> {
        first_unknown(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn settings_secrets_and_client_variables_are_known() {
        let known = ["ATTUNE_LISTEN", "ATTUNE_LIMITS_FUEL", "ATTUNE_JWT_SECRET", "ATTUNE_URL"];
        assert_eq!(unknown(&known), None);
    }

    #[test]
    fn a_misspelt_setting_is_found() {
        let unknown = unknown(&["PATH", "ATTUNE_LISTEN", "ATTUNE_LISTNE"]);
        assert_eq!(unknown.as_deref(), Some("ATTUNE_LISTNE"));
    }
}
