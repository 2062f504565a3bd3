//! From a job to what the init is told: the program, its arguments, its environment.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use attune_domain::native::{DOOR, Interpreter, NativeJob, PACK_FOLDER, Program};

use crate::init::SCRIPT;
use crate::interpreters::{Interpreters, SEARCH_PATH};
use crate::protocol::{Command, PackFolder, Task};

/// The text says what is missing.
pub(super) fn task(
    job: &NativeJob,
    interpreters: &Interpreters,
    max_processes: u64,
) -> Result<Task, String> {
    let script = match &job.program {
        Program::Script(script) => Some(script.to_vec()),
        Program::File { .. } => None,
    };
    Ok(Task {
        command: Some(command(&job.program, interpreters)?),
        env: environment(&job.env),
        script,
        parameters: job.parameter_file.as_ref().map(|file| file.to_vec()),
        limits: job.limits,
        max_processes,
    })
}

/// Neither parameters nor secrets are among the arguments: others can see those.
fn command(program: &Program, interpreters: &Interpreters) -> Result<Command, String> {
    let (interpreter, file) = match program {
        Program::Script(_) => (Interpreter::Bash, SCRIPT.to_owned()),
        Program::File { interpreter, path } => (*interpreter, in_pack(path)?),
    };
    let named = |name: &str, options: &[&str]| -> Result<Command, String> {
        let options = options.iter().map(|option| (*option).to_owned());
        let args = std::iter::once(name.to_owned()).chain(options).chain([file.clone()]).collect();
        Ok(Command { program: interpreters.path(interpreter)?.to_owned(), args })
    };
    match interpreter {
        Interpreter::Bash => named("bash", &[]),
        Interpreter::Python => named("python3", &["-u"]),
        Interpreter::Node => named("node", &[]),
        Interpreter::Itself => Ok(Command { program: file.clone().into(), args: vec![file] }),
    }
}

fn in_pack(path: &str) -> Result<String, String> {
    let mut parts = Path::new(path).components();
    let inside =
        parts.clone().count() > 0 && parts.all(|part| matches!(part, Component::Normal(_)));
    if inside {
        Ok(format!("{PACK_FOLDER}/{path}"))
    } else {
        Err(format!("'{path}' is no path below the pack's folder"))
    }
}

/// The job's, with what every program may expect, and with the door as the only way out.
fn environment(own: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let expected = [("HOME", "/tmp"), ("LANG", "C.UTF-8"), ("PATH", SEARCH_PATH)];
    let door = format!("http://{DOOR}");
    let to_door = ["ATTUNE_API_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
    let not_to_door = ["NO_PROXY", "no_proxy"];
    let mut all: BTreeMap<_, _> =
        expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    all.extend(own.clone());
    all.extend(to_door.map(|name| (name.to_owned(), door.clone())));
    all.extend(not_to_door.map(|name| (name.to_owned(), "127.0.0.1,localhost".to_owned())));
    all.into_iter().collect()
}

/// The folder of a job's pack, which must lie below that of all packs.
pub(super) fn pack_folder(job: &NativeJob, packs_dir: &Path) -> Result<Option<PackFolder>, String> {
    let Some(folder) = &job.pack_folder else { return Ok(None) };
    let path = folder
        .strip_prefix(packs_dir)
        .map_err(|_| "the pack's folder does not lie below the folder of all packs".to_owned())?;
    Ok(Some(PackFolder { base: packs_dir.to_owned(), path: path.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_pack() {
        assert_eq!(in_pack("actions/a.sh").unwrap(), "/pack/actions/a.sh");
        for outside in ["", "/etc/passwd", "../x", "a/../../x"] {
            assert!(in_pack(outside).is_err(), "{outside}");
        }
    }

    #[test]
    fn the_door_cannot_be_overridden_and_the_rest_can() {
        let own = [("LANG", "de_DE"), ("http_proxy", "http://elsewhere")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let env: BTreeMap<_, _> = environment(&own.into()).into_iter().collect();
        assert_eq!(env["LANG"], "de_DE");
        assert_eq!(env["http_proxy"], "http://127.0.0.1:3128");
        assert_eq!(env["HOME"], "/tmp");
    }
}
