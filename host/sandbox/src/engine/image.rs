//! Compiled code on disk: one `.cwasm` for each (component, engine settings),
//! mapped by every runner and shared between them by the page cache.
//!
//! Such a file is native code, and loading it trusts it entirely. So it lives
//! in a directory that only this user can write, is never taken from a pack,
//! and is written under another name until it is whole and on the disk.

use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use wasmtime::component::Component;
use wasmtime::error::Context;
use wasmtime::{Engine, Result, bail};

use super::reset_export;

/// The extension of a file that is being written, after the number of the writing process.
const UNFINISHED: &str = "tmp";

/// Compiled code for `digest`, if this machine has it. A file that cannot be loaded is
/// deleted: it is compiled again rather than keep the server from starting.
pub(crate) fn find(engine: &Engine, cache: &Path, digest: &str) -> Result<Option<PathBuf>> {
    prepare_directory(cache)?;
    let path = path(engine, cache, digest);
    if !path.exists() {
        return Ok(None);
    }
    check_owner(&path)?;
    if map(engine, &path).is_err() {
        fs::remove_file(&path)?;
        return Ok(None);
    }
    Ok(Some(path))
}

/// Compiles a component into the cache; takes seconds.
pub(crate) fn compile(engine: &Engine, cache: &Path, digest: &str, wasm: &[u8]) -> Result<PathBuf> {
    prepare_directory(cache)?;
    sweep(cache)?;
    let wasm = reset_export::add(wasm).context("the component has an unexpected layout")?;
    let code = engine.precompile_component(&wasm)?;
    let path = path(engine, cache, digest);
    write_whole(&path, &code)?;
    Ok(path)
}

/// Compiled code, ready for a runner that is then confined.
pub(crate) fn load(engine: &Engine, path: &Path) -> Result<Component> {
    let component = map(engine, path)?;
    // Made now, because a confined runner can no longer make mappings of files.
    component.initialize_copy_on_write_image()?;
    Ok(component)
}

#[expect(unsafe_code, reason = "compiled code is native code; wasmtime cannot check it")]
fn map(engine: &Engine, path: &Path) -> Result<Component> {
    check_owner(path.parent().context("compiled code has no directory")?)?;
    check_owner(path)?;
    // SAFETY: the file was written by `compile`, in a directory that nobody but
    // this user can write (just checked), and renamed into place when it was whole.
    unsafe { Component::deserialize_file(engine, path) }
}

/// A file that is whole whenever it has its name, also after a power cut.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(format!("{}.{UNFINISHED}", std::process::id()));
    let written = write_through(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // The error that matters is the first one.
        let _swept_later = fs::remove_file(&unfinished);
    }
    written
}

/// Returns when the content is on the disk.
fn write_through(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Removes what processes left behind that died while they wrote.
fn sweep(cache: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let path = entry?.path();
        if writer(&path).is_some_and(|writer| !Path::new("/proc").join(writer).exists()) {
            let _another_sweeper_was_first = fs::remove_file(path);
        }
    }
    Ok(())
}

/// The process that writes an unfinished file, by its number.
fn writer(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_suffix(UNFINISHED)?.strip_suffix('.')?.rsplit('.').next()
}

fn path(engine: &Engine, cache: &Path, digest: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    cache.join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
}

fn prepare_directory(cache: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(cache)?;
    check_owner(cache)
}

fn check_owner(path: &Path) -> Result<()> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        bail!("{} must belong to the server's user and be writable by nobody else", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(check_owner(directory.path()).unwrap_err().to_string().contains("nobody else"));
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(check_owner(directory.path()).is_ok());
    }

    #[test]
    fn code_that_cannot_be_loaded_is_deleted_and_counts_as_missing() {
        let cache = tempfile::tempdir().unwrap();
        let engine = crate::engine::new(1).unwrap();
        let find = || find(&engine, cache.path(), "digest").unwrap();
        let path = path(&engine, cache.path(), "digest");
        let code = engine.precompile_component(&wasm_encoder::Component::new().finish()).unwrap();
        for damaged in [&[][..], &code[..code.len() / 2]] {
            fs::write(&path, damaged).unwrap();
            assert_eq!((find(), path.exists()), (None, false));
        }
        write_whole(&path, &code).unwrap();
        assert_eq!(find(), Some(path.clone()));
        // Another's file is not ours to judge, let alone to delete.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(super::find(&engine, cache.path(), "digest").is_err() && path.exists());
    }

    #[test]
    fn a_file_that_could_not_be_finished_is_not_left_behind() {
        let cache = tempfile::tempdir().unwrap();
        // It cannot get its name: a folder has it.
        let taken = cache.path().join("taken.cwasm");
        fs::create_dir(&taken).unwrap();
        assert!(write_whole(&taken, b"code").is_err());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_files_of_dead_writers_are_swept() {
        let cache = tempfile::tempdir().unwrap();
        let file = |name: String| {
            let path = cache.path().join(name);
            fs::write(&path, "").unwrap();
            path
        };
        // No process has a number as high as that.
        let dead = file(format!("digest.{}.tmp", u32::MAX));
        let others = [file(format!("digest.{}.tmp", std::process::id())), file("a.cwasm".into())];
        sweep(cache.path()).unwrap();
        assert!(!dead.exists());
        assert!(others.iter().all(|path| path.exists()));
    }
}
