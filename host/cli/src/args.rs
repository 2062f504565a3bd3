//! The command line: what can be said, not what it does.

use std::path::PathBuf;

use clap::{Arg, Args, Parser, Subcommand};

use crate::config::Config;

const EXIT_CODES: &str = "\
Exit codes:
  0  it worked; for `run` and `execution watch`: the execution completed
  1  the execution did not complete, or the request was refused
  2  wrong arguments or settings
  3  not signed in, or not allowed
  4  not found
  5  the server does not answer";

const SERVE_HELP: &str = "\
In attune.toml a setting has its flag's name, with _ for each -; those of --limits-* and
--archive-* stand in a table:

  listen = \"127.0.0.1:8080\"
  [limits]
  wall_ms = 300000";

const RUN_HELP: &str = "\
Parameters:
  key=value   the type that the action declares for `key`; text if it declares none
  key:=JSON   this JSON value

Examples:
  attune run core.echo message=hello
  attune run core.sleep seconds=3 --watch
  attune run examples.greet names:='[\"Ada\", \"Alan\"]'

The result goes to stdout, everything about it to stderr.";

/// Attune runs automation in a sandbox.
#[derive(Parser, Debug)]
#[command(name = "attune", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub client: ClientArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// What all client commands share.
#[derive(Args, Debug)]
pub(crate) struct ClientArgs {
    /// Server to talk to; without this the one of the last login
    #[arg(long, env = "ATTUNE_URL", global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Write JSON for programs instead of text for people
    #[arg(short = 'j', long, global = true)]
    pub json: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run the server
    #[command(after_help = SERVE_HELP)]
    Serve(Box<Config>),
    /// Check what the server needs on this machine, and say how to mend it
    Doctor(Box<Config>),
    /// Copy the database into a file, also while a server uses it. The master key is not in it:
    /// without that, the values of keys in the copy are lost, so keep a copy of it, elsewhere
    #[command(mut_args(database_only))]
    Backup {
        #[command(flatten)]
        config: Box<Config>,
        /// The file, which must not be there yet
        #[arg(value_name = "FILE")]
        target: PathBuf,
    },
    /// Put a backup into the place of the database; the server must be stopped
    #[command(mut_args(database_only))]
    Restore {
        #[command(flatten)]
        config: Box<Config>,
        /// What `attune backup` made
        #[arg(value_name = "FILE")]
        source: PathBuf,
    },
    /// Bring the database to the schema of this version, as a start of the server would
    #[command(mut_args(database_only))]
    Migrate {
        #[command(flatten)]
        config: Box<Config>,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Give somebody a new password, with access to the database instead of the old one
    #[command(mut_args(database_only))]
    ResetPassword {
        #[command(flatten)]
        config: Box<Config>,
        /// Whose
        #[arg(value_name = "LOGIN")]
        login: String,
        /// Read the password from stdin; without this one is made up and shown
        #[arg(long)]
        password_stdin: bool,
    },
    /// Sign in and remember it
    Login(LoginArgs),
    /// Packs
    #[command(subcommand)]
    Pack(PackCommand),
    /// Actions
    #[command(subcommand)]
    Action(ActionCommand),
    /// Run an action, wait for its result and print it
    Run(RunArgs),
    /// Executions
    #[command(subcommand)]
    Execution(ExecutionCommand),
    /// Workers: the servers that run executions
    #[command(subcommand)]
    Worker(WorkerCommand),
    /// Keys: values and secrets
    #[command(subcommand)]
    Key(KeyCommand),
    /// What stored values are sealed with
    #[command(subcommand)]
    Encryption(EncryptionCommand),
}

/// Commands on the database take all settings and show those that tell where it is.
fn database_only(argument: Arg) -> Arg {
    const SHOWN: [&str; 8] = [
        "file",
        "data_dir",
        "database_url",
        "target",
        "source",
        "dry_run",
        "login",
        "password_stdin",
    ];
    let shown = SHOWN.contains(&argument.get_id().as_str());
    argument.hide(!shown)
}

#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    /// Who signs in; without this the command asks
    #[arg(value_name = "LOGIN")]
    pub login: Option<String>,
    /// Read the password from stdin; else from `ATTUNE_PASSWORD`, else the command asks
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum PackCommand {
    /// Install a pack from a folder or a .tar.gz
    Upload {
        /// Folder with a pack.yaml, or an archive of one
        #[arg(value_name = "DIR|FILE.tar.gz")]
        path: PathBuf,
        /// Replace an installed pack of the same ref
        #[arg(long)]
        force: bool,
    },
    /// List packs
    List(PageArgs),
    /// Show one pack and its actions
    Show {
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Delete a pack and its actions
    Delete {
        #[arg(value_name = "REF")]
        reference: String,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum ActionCommand {
    /// List actions
    List {
        /// Only those of this pack
        #[arg(long, value_name = "REF")]
        pack: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one action and its parameters
    Show {
        #[arg(value_name = "REF")]
        reference: String,
    },
}

#[derive(Args, Debug)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    /// The action
    #[arg(value_name = "REF")]
    pub reference: String,
    /// Parameters, see below
    #[arg(value_name = "KEY=VALUE")]
    pub parameters: Vec<String>,
    /// Show output and status as they come
    #[arg(short, long, conflicts_with = "no_wait")]
    pub watch: bool,
    /// Print the execution's id and do not wait
    #[arg(long)]
    pub no_wait: bool,
    /// Seconds to wait for the end
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub wait: u64,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ExecutionCommand {
    /// List executions, newest first
    List {
        /// Only those with this status
        #[arg(long)]
        status: Option<String>,
        /// Only those of this action
        #[arg(long, value_name = "REF")]
        action: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one execution and its result
    Show { id: i64 },
    /// Print what an execution wrote to stdout
    Logs {
        id: i64,
        /// What it wrote to stderr instead, where the reason of a failure is
        #[arg(long)]
        stderr: bool,
        /// Go on until the execution ends
        #[arg(short, long)]
        follow: bool,
    },
    /// Follow an execution until it ends
    Watch { id: i64 },
    /// Stop an execution
    Cancel { id: i64 },
}

#[derive(Subcommand, Debug)]
pub(crate) enum WorkerCommand {
    /// List workers
    List(PageArgs),
    /// Keep new work away from a worker; what it runs goes on
    Cordon {
        /// The worker's id
        id: i64,
        /// Why, for others to read
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let a worker have new work again
    Uncordon {
        /// The worker's id
        id: i64,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// List keys, without their values
    List {
        /// Only those of `system`, `identity`, `pack`, `action` or `sensor`
        #[arg(long, value_name = "TYPE")]
        owner_type: Option<String>,
        /// Only those of this owner: a ref, or an identity's id
        #[arg(long, value_name = "OWNER")]
        owner: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one key, with its value if you may decrypt it
    #[command(alias = "show")]
    Get {
        #[arg(value_name = "REF")]
        reference: String,
        /// Only the value; a text as it is
        #[arg(long)]
        value: bool,
    },
    /// Change a key, or create it when there is none
    Set(SetKeyArgs),
    /// Delete a key
    Delete {
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Add to the number that a key holds, and print the sum
    Increment {
        #[arg(value_name = "REF")]
        reference: String,
        /// What is added
        #[arg(long, default_value_t = 1, allow_negative_numbers = true, value_name = "N")]
        by: i64,
    },
}

/// No `Debug`, which would show the value.
#[derive(Args)]
pub(crate) struct SetKeyArgs {
    #[arg(value_name = "REF")]
    pub reference: String,
    /// `-`: read the value from stdin
    #[arg(value_name = "-", value_parser = ["-"], conflicts_with_all = ["value", "value_file"])]
    pub stdin: Option<String>,
    /// The value, as JSON; others on this machine can see it here
    #[arg(long, conflicts_with = "value_file", value_name = "JSON")]
    pub value: Option<String>,
    /// File with the value, as JSON; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub value_file: Option<PathBuf>,
    /// The value is no JSON but a text; line breaks at its end are left out
    #[arg(long)]
    pub text: bool,
    /// Name by which actions know it; of a new key its ref unless given
    #[arg(long)]
    pub name: Option<String>,
    /// Whose a new key is: `system`, `identity`, `pack`, `action` or `sensor`
    #[arg(long, default_value = "system", value_name = "TYPE")]
    pub owner_type: String,
    /// The owner of a new key: a ref, or an identity's id
    #[arg(long)]
    pub owner: Option<String>,
    /// Seconds after which it is gone
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<i64>,
    /// Mark it as a secret
    #[arg(long)]
    pub encrypted: bool,
    /// Change it only if it has this version
    #[arg(long, value_name = "N")]
    pub expected_version: Option<i64>,
}

impl std::fmt::Debug for SetKeyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetKeyArgs").field("reference", &self.reference).finish_non_exhaustive()
    }
}

#[derive(Subcommand, Debug)]
pub(crate) enum EncryptionCommand {
    /// Show which keys are in use, by fingerprint and id
    Show,
    /// Seal with a new data key from now on, and all older values anew
    RotateData,
    /// Put a new master key first into the server's file, and have the server wrap with it
    RotateMaster {
        /// The server's file of master keys; without this `master.key` in the data folder
        #[arg(long, env = "ATTUNE_MASTER_KEY_FILE", value_name = "FILE")]
        file: Option<PathBuf>,
        /// The server's data folder
        #[arg(long, env = "ATTUNE_DATA_DIR", default_value = "./data", value_name = "DIR")]
        data_dir: PathBuf,
        /// Write nothing: the source of master keys was changed already
        #[arg(long)]
        reread: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct PageArgs {
    /// Which page
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub page: u32,
    /// Rows on a page
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub page_size: u32,
}
