//! Prepares what the binary carries: the core pack as an archive, and the digest and the version
//! of the Python runtime, so that no start has to read 30 MB.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let repository = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    python_runtime(&repository.join("runtimes/python.wasm"))?;
    core_pack(&repository.join("packs/core"), &out.join("core.tar.gz"))
}

fn python_runtime(wasm: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", wasm.display());
    let bytes = fs::read(wasm).map_err(|error| {
        format!("{}: {error}; build it with: python3 runtimes/python/build.py", wasm.display())
    })?;
    println!("cargo::rustc-env=ATTUNE_PYTHON_WASM={}", wasm.canonicalize()?.display());
    println!("cargo::rustc-env=ATTUNE_PYTHON_DIGEST={}", hex::encode(Sha256::digest(&bytes)));
    let version = python_version(&bytes).ok_or("the component holds no CPython")?;
    println!("cargo::rustc-env=ATTUNE_PYTHON_VERSION={version}");
    Ok(())
}

/// The name of the library tells the first two numbers; the release is a text of its own that
/// begins with them.
fn python_version(wasm: &[u8]) -> Option<String> {
    let minor = number_after(wasm, b"libpython")?.trim_end_matches('.');
    let patch = number_after(wasm, format!("\0{minor}.").as_bytes())?;
    Some(format!("{minor}.{patch}"))
}

/// The digits and points that follow on a text.
fn number_after<'w>(wasm: &'w [u8], text: &[u8]) -> Option<&'w str> {
    let found = wasm.windows(text.len()).position(|window| window == text)?;
    let rest = &wasm[found + text.len()..];
    let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    str::from_utf8(&rest[..end]).ok()
}

/// Written without times and owners: the same files give the same archive.
fn core_pack(folder: &Path, archive: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut tar =
        tar::Builder::new(GzEncoder::new(fs::File::create(archive)?, Compression::best()));
    tar.mode(tar::HeaderMode::Deterministic);
    for path in files_below(folder)? {
        tar.append_path_with_name(&path, path.strip_prefix(folder)?)?;
    }
    tar.into_inner()?.finish()?;
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == "__pycache__") {
            continue;
        }
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}
