//! Scratch directories: made for one run, gone after it.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct ScratchDirectory {
    path: PathBuf,
}

impl ScratchDirectory {
    /// A new, empty directory below `parent`.
    pub(crate) fn create(parent: &Path) -> io::Result<ScratchDirectory> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path = parent.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&path)?;
        Ok(ScratchDirectory { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchDirectory {
    fn drop(&mut self) {
        // Most are empty, and one call is enough.
        let removed = fs::remove_dir(&self.path).or_else(|_| remove_tree(&self.path));
        if let Err(error) = removed {
            tracing::warn!(%error, "a scratch directory could not be removed");
        }
    }
}

/// Removes a directory and all that is in it.
///
/// Unlike the standard library's, it does not recurse: a guest can nest
/// directories deeper than our stack. Each directory is moved up to the root
/// before it is looked into.
pub(crate) fn remove_tree(root: &Path) -> io::Result<()> {
    let mut waiting = VecDeque::from([root.to_owned()]);
    let mut emptied = Vec::new();
    let mut moved = 0_u64;
    while let Some(directory) = waiting.pop_front() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            } else if directory == root {
                waiting.push_back(entry.path());
            } else {
                let up = free_name(root, &mut moved);
                fs::rename(entry.path(), &up)?;
                waiting.push_back(up);
            }
        }
        emptied.push(directory);
    }
    emptied.into_iter().rev().try_for_each(fs::remove_dir)
}

fn free_name(root: &Path, counter: &mut u64) -> PathBuf {
    loop {
        let path = root.join(format!(".removed-{counter}"));
        *counter += 1;
        if path.symlink_metadata().is_err() {
            return path;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_with_everything_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = ScratchDirectory::create(parent.path()).unwrap();
        fs::create_dir_all(scratch.path().join("a/b/c")).unwrap();
        fs::create_dir_all(scratch.path().join(".removed-0/x")).unwrap();
        fs::write(scratch.path().join("a/b/c/file"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", scratch.path().join("a/link")).unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn depth_does_not_matter() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = ScratchDirectory::create(parent.path()).unwrap();
        // Built from the inside out, because the path of the innermost is too long to name.
        let inner = scratch.path().join("inner");
        fs::create_dir(&inner).unwrap();
        for _ in 0..5_000 {
            let outer = scratch.path().join("outer");
            fs::create_dir(&outer).unwrap();
            fs::rename(&inner, outer.join("d")).unwrap();
            fs::rename(&outer, &inner).unwrap();
        }
        drop(scratch);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
