//! What the binary carries: the Python runtime and the core pack. `build.rs` made them ready.

/// The component that runs Python actions. Mapped with the binary; pages that nobody
/// reads cost no memory.
pub(crate) static PYTHON_WASM: &[u8] = include_bytes!(env!("ATTUNE_PYTHON_WASM"));

/// SHA-256 of [`PYTHON_WASM`], in hex.
pub(crate) const PYTHON_DIGEST: &str = env!("ATTUNE_PYTHON_DIGEST");

/// The version of Python in it.
pub(crate) const PYTHON_VERSION: &str = env!("ATTUNE_PYTHON_VERSION");

/// `packs/core`, as a gzip tar.
pub(crate) static CORE_PACK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/core.tar.gz"));
