//! `attune login`. A password comes from a prompt, stdin or the environment, never
//! from the command line, where every process of the machine could read it.

use std::io::{IsTerminal, Write};

use anyhow::Context;

use super::Session;
use crate::args::LoginArgs;
use crate::config::environment;
use crate::failure::Failure;
use crate::output::Tone;
use crate::secret::Secret;

pub(super) async fn run(mut session: Session, arguments: LoginArgs) -> Result<(), Failure> {
    let login = match arguments.login {
        Some(login) => login,
        None => ask_login()?,
    };
    let password = password(arguments.password_stdin)?;
    let answer = session.client.login(&login, password.expose()).await?;
    if session.output.is_json() {
        session.output.value(&answer["data"]["user"]);
    }
    let server = session.client.server();
    session.output.note(Tone::Good, &format!("signed in to {server} as {login}"));
    Ok(())
}

fn password(from_stdin: bool) -> Result<Secret, Failure> {
    if from_stdin {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).context("cannot read the password from stdin")?;
        return Ok(Secret::new(line.trim_end_matches(['\r', '\n'])));
    }
    if let Some(password) = environment::password() {
        return Ok(password);
    }
    refuse_without_terminal("--password-stdin or ATTUNE_PASSWORD")?;
    let password = rpassword::prompt_password("Password: ").context("cannot ask for a password")?;
    Ok(Secret::new(password))
}

fn ask_login() -> Result<String, Failure> {
    refuse_without_terminal("attune login LOGIN")?;
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "Login: ").and_then(|()| stderr.flush()).context("cannot ask for a login")?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("cannot read the login")?;
    Ok(line.trim().to_owned())
}

fn refuse_without_terminal(instead: &str) -> Result<(), Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage("there is no terminal to ask on").remedy(format_args!("use {instead}")))
}
