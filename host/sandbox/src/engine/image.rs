//! Compiled code on disk: one `.cwasm` for each (component, engine settings),
//! mapped by every runner and shared between them by the page cache.
//!
//! Such a file is native code, and loading it trusts it entirely. So it lives
//! in a directory that only this user can write, is never taken from a pack,
//! and is written under another name until it is whole.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use wasmtime::component::Component;
use wasmtime::error::Context;
use wasmtime::{Engine, Result, bail};

use super::reset_export;

/// Compiled code for `digest`, if this machine has it.
pub(crate) fn find(engine: &Engine, cache: &Path, digest: &str) -> Result<Option<PathBuf>> {
    prepare_directory(cache)?;
    let path = path(engine, cache, digest);
    Ok(path.exists().then_some(path))
}

/// Compiles a component into the cache; takes seconds.
pub(crate) fn compile(engine: &Engine, cache: &Path, digest: &str, wasm: &[u8]) -> Result<PathBuf> {
    prepare_directory(cache)?;
    let wasm = reset_export::add(wasm).context("the component has an unexpected layout")?;
    let code = engine.precompile_component(&wasm)?;
    let path = path(engine, cache, digest);
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&unfinished, code)?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// Maps compiled code.
#[expect(unsafe_code, reason = "compiled code is native code; wasmtime cannot check it")]
pub(crate) fn load(engine: &Engine, path: &Path) -> Result<Component> {
    check_owner(path.parent().context("compiled code has no directory")?)?;
    check_owner(path)?;
    // SAFETY: the file was written by `compile`, in a directory that nobody but
    // this user can write (just checked), and renamed into place when it was whole.
    let component = unsafe { Component::deserialize_file(engine, path)? };
    // Made now, because a confined runner can no longer make mappings of files.
    component.initialize_copy_on_write_image()?;
    Ok(component)
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
}
