//! Why an archive is refused. Each text names the entry, and the setting of a limit.

/// An archive that cannot be a pack. The caller is to mend it and try again.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the archive is not a whole gzip file: {0}; pack it again with `tar -czf`")]
    Gzip(#[source] std::io::Error),
    #[error("the archive is not a tar file: {0}; pack it again with `tar -czf`")]
    Tar(#[source] std::io::Error),
    #[error("the archive is cut off in the middle of an entry; pack and send it again")]
    Truncated,
    #[error("there is data after the end of the archive; send one gzip tar and nothing else")]
    TrailingData,
    #[error("the archive is larger than {limit} bytes when extracted (archive.extracted_bytes)")]
    TooLarge { limit: u64 },
    #[error("the archive has more than {limit} entries (archive.files)")]
    TooManyFiles { limit: u64 },
    #[error("{entry} is larger than {limit} bytes (archive.file_bytes)")]
    FileTooLarge { entry: String, limit: u64 },
    #[error("{entry}: the path is longer than {limit} bytes (archive.path_bytes)")]
    PathTooLong { entry: String, limit: u64 },
    #[error("{entry}: the path is more than {limit} names deep (archive.depth)")]
    TooDeep { entry: String, limit: u64 },
    #[error("{entry} {problem}")]
    UnsafePath { entry: String, problem: &'static str },
    #[error("{entry} is a {kind}; a pack holds only files and folders")]
    Kind { entry: String, kind: &'static str },
    #[error("{entry} is in the archive twice, or as a file and a folder")]
    Twice { entry: String },
    #[error("a tar extension header has {header}, which packs may not use")]
    Extension { header: String },
    #[error("there is no pack.yaml at the top of the archive or in the only folder there")]
    NoPackYaml,
    #[error("cannot read {path}: {source}")]
    Directory { path: String, source: std::io::Error },
}

/// A name out of a stranger's archive, fit to be shown: escaped and cut.
pub(crate) fn quoted(name: &str) -> String {
    const SHOWN: usize = 120;
    let mut shown: String = name.chars().take(SHOWN).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    format!("'{}'", shown.escape_debug())
}
