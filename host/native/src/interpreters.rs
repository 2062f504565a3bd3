//! Where the interpreters of packs' programs are.

use std::path::{Path, PathBuf};

use attune_domain::native::Interpreter;

/// Where programs look for commands, and where we look for interpreters. The server's own PATH
/// does not count: it names folders that no run sees.
pub(crate) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The interpreters of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interpreters {
    pub bash: Option<PathBuf>,
    pub python: Option<PathBuf>,
    pub node: Option<PathBuf>,
}

/// Those that are overridden, and what the search path has of the others. An override must lie
/// in a folder that runs see, such as below `/usr`.
pub fn find_interpreters(overrides: Interpreters) -> Interpreters {
    Interpreters {
        bash: overrides.bash.or_else(|| find("bash")),
        python: overrides.python.or_else(|| find("python3")),
        node: overrides.node.or_else(|| find("node")),
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let candidates = SEARCH_PATH.split(':').map(|folder| Path::new(folder).join(name));
    candidates.into_iter().find(|path| path.is_file())
}

impl Interpreters {
    /// The program to start for an interpreter, or what is missing and what to do about it.
    pub(crate) fn path(&self, interpreter: Interpreter) -> Result<&Path, String> {
        let (path, name) = match interpreter {
            Interpreter::Bash => (&self.bash, "bash"),
            Interpreter::Python => (&self.python, "python3"),
            Interpreter::Node => (&self.node, "node"),
            Interpreter::Itself => return Err("a native program has no interpreter".to_owned()),
        };
        path.as_deref().ok_or_else(|| {
            format!("{name} is not installed on this server: install it in one of {SEARCH_PATH}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_wins_and_a_missing_interpreter_is_named() {
        let own = PathBuf::from("/usr/local/bin/own-python");
        let overrides = Interpreters { python: Some(own.clone()), ..Interpreters::default() };
        assert_eq!(find_interpreters(overrides).python, Some(own));
        let problem = Interpreters::default().path(Interpreter::Node).unwrap_err();
        assert!(problem.starts_with("node is not installed"), "{problem}");
    }
}
