//! Keeps the folder of compiled code within its bound.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

/// Deletes compiled code that was used longest ago, until no more than `bytes` are left. What is
/// `in_use` is noted as used now, and stays however large it is.
pub(crate) fn evict(cache: &Path, in_use: &[PathBuf], bytes: u64) -> io::Result<()> {
    for path in in_use {
        note_use(path)?;
    }
    let mut kept = in_use.iter().map(|path| Ok(path.metadata()?.len())).sum::<io::Result<u64>>()?;
    let mut others = others(cache, in_use)?;
    others.sort_unstable_by_key(|other| other.used);
    for other in others.into_iter().rev() {
        if kept.saturating_add(other.bytes) <= bytes {
            kept += other.bytes;
            continue;
        }
        let path = other.path.display();
        match fs::remove_file(&other.path) {
            Ok(()) => tracing::info!(%path, "compiled code that is not in use goes"),
            Err(error) => tracing::warn!(%path, %error, "compiled code cannot be deleted"),
        }
    }
    Ok(())
}

struct Compiled {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

fn others(cache: &Path, in_use: &[PathBuf]) -> io::Result<Vec<Compiled>> {
    let paths = fs::read_dir(cache)?.map(|entry| Ok(entry?.path()));
    let paths = paths.collect::<io::Result<Vec<_>>>()?.into_iter();
    let others = paths.filter(|path| {
        path.extension().is_some_and(|extension| extension == "cwasm") && !in_use.contains(path)
    });
    let compiled = others.map(|path| {
        let metadata = path.metadata()?;
        Ok(Compiled { bytes: metadata.len(), used: metadata.modified()?, path })
    });
    compiled.collect()
}

/// The time of the last change serves as that of the last use: compiled code does not change,
/// and file systems are often told not to note who reads.
fn note_use(path: &Path) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(File::open(path)?, &Timestamps { last_access: now, last_modification: now })?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn file(cache: &Path, name: &str, used: u64) -> PathBuf {
        let path = cache.join(name);
        fs::write(&path, [0; 100]).unwrap();
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(used);
        File::options().write(true).open(&path).unwrap().set_modified(used).unwrap();
        path
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let cache = tempfile::tempdir().unwrap();
        let [in_use, old, older, oldest] = [("in-use", 1), ("old", 4), ("older", 3), ("oldest", 2)]
            .map(|(name, used)| file(cache.path(), &format!("{name}.cwasm"), used));
        let other = file(cache.path(), "notes.txt", 1);
        let left = |bytes| {
            evict(cache.path(), std::slice::from_ref(&in_use), bytes).unwrap();
            [&in_use, &old, &older, &oldest, &other].map(|path| path.exists())
        };
        assert_eq!(left(400), [true; 5]);
        assert_eq!(left(399), [true, true, true, false, true]);
        // Its use was noted: now another file is the one in use.
        evict(cache.path(), std::slice::from_ref(&old), 200).unwrap();
        assert!(in_use.exists() && !older.exists());
        assert_eq!(left(0), [true, false, false, false, true]);
    }
}
