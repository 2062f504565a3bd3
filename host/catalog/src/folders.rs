//! The folders of pack versions on this machine: `<packs_dir>/<tenant>/<digest>/`.
//!
//! A folder is there whole or not at all: it is written beside its place under a hidden
//! name, flushed, and renamed. It never changes afterwards. Whatever is lost here is made
//! again from the archive in the store.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attune_domain::id::TenantId;
use tokio::sync::Mutex;

use crate::files::{PackFile, PackFiles};

/// Starts the names of folders that are being made or removed.
const HIDDEN: &str = ".making-";

/// All folders of this server.
#[derive(Debug)]
pub(crate) struct Folders {
    root: PathBuf,
    /// One folder is made at a time, so that two runs that need the same one do the work
    /// once and the sweep never meets a folder in the making. Whoever holds it takes it along
    /// to the thread that does the work, which goes on when nobody waits for it any more.
    making: Arc<Mutex<()>>,
}

impl Folders {
    /// Makes the root, which only this user may enter.
    pub(crate) fn new(root: PathBuf) -> io::Result<Folders> {
        DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
        fs::set_permissions(&root, Permissions::from_mode(0o700))?;
        Ok(Folders { root, making: Arc::default() })
    }

    /// The folder of a version, if it is there. A `stat` only: every run asks.
    pub(crate) fn find(&self, tenant: TenantId, digest: &str) -> Option<PathBuf> {
        let path = self.path(tenant, digest);
        path.is_dir().then_some(path)
    }

    /// The folder of a version, made from what `files` gives if it is not there. Both the
    /// making and `files` run on a thread that may block.
    pub(crate) async fn make<E>(
        &self,
        tenant: TenantId,
        digest: &str,
        files: impl FnOnce() -> Result<PackFiles, E> + Send + 'static,
    ) -> Result<PathBuf, E>
    where
        E: From<io::Error> + Send + 'static,
    {
        let one_at_a_time = self.making.clone().lock_owned().await;
        let path = self.path(tenant, digest);
        if path.is_dir() {
            return Ok(path);
        }
        let making = tokio::task::spawn_blocking(move || {
            let _one_at_a_time = one_at_a_time;
            write_folder(&path, &files()?)?;
            Ok(path)
        });
        making.await.map_err(io::Error::from)?
    }

    /// Removes every folder but those of `kept`, and what was left half made.
    pub(crate) async fn sweep(&self, kept: HashSet<(TenantId, String)>) -> io::Result<()> {
        let nothing_in_the_making = self.making.clone().lock_owned().await;
        let root = self.root.clone();
        let sweeping = tokio::task::spawn_blocking(move || {
            let _nothing_in_the_making = nothing_in_the_making;
            sweep_root(&root, &kept)
        });
        sweeping.await?
    }

    fn path(&self, tenant: TenantId, digest: &str) -> PathBuf {
        self.root.join(tenant.to_string()).join(digest)
    }
}

fn write_folder(path: &Path, files: &PackFiles) -> io::Result<()> {
    let tenant = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o755).create(tenant)?;
    let making = tempfile::Builder::new().prefix(HIDDEN).tempdir_in(tenant)?;
    for (name, file) in files.iter() {
        write_file(&making.path().join(name), file)?;
    }
    fs::set_permissions(making.path(), Permissions::from_mode(0o755))?;
    // All files at once: one flush for each takes a second for every few hundred files.
    // Without it a power cut could leave a folder that has its name and lacks content.
    rustix::fs::syncfs(File::open(making.path())?)?;
    fs::rename(making.path(), path)?;
    // Nothing is left under the hidden name that would have to be removed.
    let _ = making.keep();
    File::open(tenant)?.sync_all()
}

/// Paths were checked when the files were gathered, and the folder is new and private, so
/// there is no link that a path could follow; `create_new` would refuse one.
fn write_file(path: &Path, file: &PackFile) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    let mode = if file.executable { 0o755 } else { 0o644 };
    let mut written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    written.write_all(&file.bytes)
}

fn sweep_root(root: &Path, kept: &HashSet<(TenantId, String)>) -> io::Result<()> {
    for tenant in fs::read_dir(root)? {
        let tenant = tenant?;
        let Some(id) = tenant.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        for version in fs::read_dir(tenant.path())? {
            let version = version?;
            let digest = version.file_name().to_string_lossy().into_owned();
            if !kept.contains(&(TenantId(id), digest)) {
                remove(&version.path())?;
            }
        }
    }
    Ok(())
}

/// Hides a folder before it is emptied, so that it is never taken for a whole one.
fn remove(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with(HIDDEN) {
        return fs::remove_dir_all(path);
    }
    let hidden = path.with_file_name(format!("{HIDDEN}{name}"));
    fs::rename(path, &hidden)?;
    fs::remove_dir_all(hidden)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use bytes::Bytes;
    use futures::FutureExt;

    use super::*;
    use crate::files::Gathering;
    use crate::limits::ArchiveLimits;

    const TENANT: TenantId = TenantId(7);

    fn files() -> PackFiles {
        let mut gathering = Gathering::new(ArchiveLimits::default());
        for (path, executable) in [("pack.yaml", false), ("actions/deep/run.sh", true)] {
            let file = PackFile { bytes: Bytes::from_static(b"text"), executable };
            gathering.add_file(path, file).unwrap();
        }
        gathering.finish().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_folder_holds_the_files_with_plain_modes() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path().join("packs")).unwrap();
        let folder = folders.make(TENANT, "abc", || io::Result::Ok(files())).await.unwrap();
        assert_eq!(folder, dir.path().join("packs/7/abc"));
        assert_eq!(fs::read(folder.join("actions/deep/run.sh")).unwrap(), b"text");
        assert_eq!(mode(&dir.path().join("packs")), 0o700);
        assert_eq!(mode(&folder), 0o755);
        assert_eq!(mode(&folder.join("actions/deep/run.sh")), 0o755);
        assert_eq!(mode(&folder.join("pack.yaml")), 0o644);
        assert_eq!(fs::read_dir(dir.path().join("packs/7")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn two_callers_do_the_work_once() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path().to_owned()).unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let count = || {
            let made = made.clone();
            move || {
                made.fetch_add(1, Ordering::SeqCst);
                io::Result::Ok(files())
            }
        };
        let (one, two) = tokio::join!(
            folders.make(TENANT, "abc", count()),
            folders.make(TENANT, "abc", count())
        );
        assert_eq!(one.unwrap(), two.unwrap());
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn the_sweep_waits_for_a_folder_that_nobody_waits_for() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path().to_owned()).unwrap();
        let (go_on, told_to_go_on) = mpsc::channel::<()>();
        let gone = folders.make(TENANT, "abc", move || {
            told_to_go_on.recv().map_err(io::Error::other)?;
            io::Result::Ok(files())
        });
        assert!(gone.now_or_never().is_none(), "it was dropped while the work went on");
        assert!(folders.making.try_lock().is_err());
        go_on.send(()).unwrap();
        folders.sweep(HashSet::from([(TENANT, "abc".to_owned())])).await.unwrap();
        assert!(folders.find(TENANT, "abc").is_some());
    }

    #[tokio::test]
    async fn what_fails_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path().to_owned()).unwrap();
        let failed = folders.make(TENANT, "abc", || Err(io::Error::other("no archive"))).await;
        assert!(failed.is_err());
        assert_eq!(folders.find(TENANT, "abc"), None);
    }

    #[tokio::test]
    async fn the_sweep_keeps_what_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path().to_owned()).unwrap();
        for digest in ["used", "unused"] {
            folders.make(TENANT, digest, || io::Result::Ok(files())).await.unwrap();
        }
        fs::create_dir_all(dir.path().join("7/.making-half/a")).unwrap();
        fs::create_dir(dir.path().join("not-a-tenant")).unwrap();
        folders.sweep(HashSet::from([(TENANT, "used".to_owned())])).await.unwrap();
        let left: Vec<_> = fs::read_dir(dir.path().join("7")).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert!(folders.find(TENANT, "used").is_some());
        assert!(dir.path().join("not-a-tenant").exists());
    }
}
