//! How large a pack may be.

/// Bounds on one pack archive. The settings are `archive.<field>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of the whole archive once it is decompressed, tar headers included.
    pub extracted_bytes: u64,
    /// Entries of the archive: files, folders and headers.
    pub files: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of one path.
    pub path_bytes: u64,
    /// Names in one path.
    pub depth: u64,
}

impl Default for ArchiveLimits {
    fn default() -> ArchiveLimits {
        ArchiveLimits {
            extracted_bytes: 100_000_000,
            files: 10_000,
            file_bytes: 50_000_000,
            path_bytes: 1_000,
            depth: 32,
        }
    }
}

impl ArchiveLimits {
    /// For archives that this server wrote: they were within the limits of their day.
    pub(crate) const NONE: ArchiveLimits = ArchiveLimits {
        extracted_bytes: u64::MAX,
        files: u64::MAX,
        file_bytes: u64::MAX,
        path_bytes: u64::MAX,
        depth: u64::MAX,
    };
}
