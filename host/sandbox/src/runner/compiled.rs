//! Code of the files that this runner has run before, so that a run need not compile its own.
//!
//! An instance compiles before it sees user code, so what it says is as good as the file. Code
//! stays in the process, which serves one tenant, and the folder of a pack version never changes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use attune_domain::runner::Runtime;

/// Bytes that are kept; beyond them everything is forgotten, and compiled again when needed.
const MOST: usize = 16 << 20;

/// Code as a guest takes it.
pub(super) type Code = Arc<[u8]>;

/// A file that is run: of a runtime's language, in a pack's folder.
pub(super) type Entry = (Runtime, PathBuf, String);

/// The code that was kept, by file.
#[derive(Default)]
pub(super) struct Compiled(RefCell<Kept>);

#[derive(Default)]
struct Kept {
    code: HashMap<Entry, Code>,
    bytes: usize,
}

impl Compiled {
    pub(super) fn get(&self, entry: &Entry) -> Option<Code> {
        self.0.borrow().code.get(entry).cloned()
    }

    /// Keeps the code of a file, unless it is nothing.
    pub(super) fn keep(&self, entry: Entry, code: &Code) {
        let mut kept = self.0.borrow_mut();
        // Two runs may have compiled the same file at once.
        if code.is_empty() || code.len() > MOST || kept.code.contains_key(&entry) {
            return;
        }
        if kept.bytes + code.len() > MOST {
            *kept = Kept::default();
        }
        kept.bytes += code.len();
        kept.code.insert(entry, code.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        (Runtime::Python, PathBuf::from("/pack"), name.to_owned())
    }

    #[test]
    fn nothing_is_not_kept() {
        let compiled = Compiled::default();
        compiled.keep(entry("a"), &Code::default());
        assert_eq!(compiled.get(&entry("a")), None);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let compiled = Compiled::default();
        let half = Code::from(vec![0; MOST / 2]);
        compiled.keep(entry("a"), &half);
        compiled.keep(entry("b"), &half);
        assert!(compiled.get(&entry("a")).is_some());
        compiled.keep(entry("c"), &half);
        assert!(compiled.get(&entry("a")).is_none() && compiled.get(&entry("c")).is_some());
    }
}
