//! Reads an untrusted gzip tar into [`PackFiles`].
//!
//! First the whole archive is decompressed into one buffer, up to the limit and no further;
//! then the tar is walked and the files become slices of that buffer. Only regular files
//! and folders are taken. Extension headers are read here rather than by the `tar` crate,
//! so that a long one is refused and those by which two readers could see two different
//! archives are too.

mod error;
mod gzip;
mod member;

use bytes::Bytes;
use tar::{Archive, EntryType};

pub use error::ArchiveError;
pub(crate) use error::quoted;
use member::Naming;

use crate::files::{Gathering, PackFile, PackFiles};
use crate::limits::ArchiveLimits;

/// Reads an archive as it was uploaded.
pub(crate) fn read(archive: &[u8], limits: ArchiveLimits) -> Result<PackFiles, ArchiveError> {
    let tar = gzip::decompress(archive, limits.extracted_bytes)?;
    let mut gathering = Gathering::new(limits);
    let end = walk(&tar, &mut gathering)?;
    if tar[end..].iter().any(|byte| *byte != 0) {
        return Err(ArchiveError::TrailingData);
    }
    gathering.finish()
}

/// Takes every entry; tells where the last one ends.
fn walk(tar: &Bytes, gathering: &mut Gathering) -> Result<usize, ArchiveError> {
    let mut archive = Archive::new(tar.as_ref());
    let mut naming = Naming::default();
    let mut end = 0;
    for entry in archive.entries().map_err(ArchiveError::Tar)?.raw(true) {
        let entry = entry.map_err(ArchiveError::Tar)?;
        gathering.count_entry()?;
        let body = body(tar, &entry)?;
        end = padded(body.end, tar.len());
        let header = entry.header();
        match header.entry_type() {
            EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName => {
                naming.read_extension(header.entry_type(), &tar[body])?;
            }
            EntryType::Directory => gathering.add_folder(&naming.take(header)?)?,
            EntryType::Regular => {
                let name = naming.take(header)?;
                gathering.check_size(&name, body.len() as u64)?;
                let executable = header.mode().map_err(ArchiveError::Tar)? & 0o100 != 0;
                gathering.add_file(&name, PackFile { bytes: tar.slice(body), executable })?;
            }
            other => {
                let name = naming.take(header)?;
                return Err(ArchiveError::Kind { entry: quoted(&name), kind: member::kind(other) });
            }
        }
    }
    naming.finish()?;
    Ok(end)
}

/// Where an entry's content lies.
fn body<R: std::io::Read>(
    tar: &Bytes,
    entry: &tar::Entry<'_, R>,
) -> Result<std::ops::Range<usize>, ArchiveError> {
    let start = usize::try_from(entry.raw_file_position()).ok();
    let size = usize::try_from(entry.size()).ok();
    let end = start.zip(size).and_then(|(start, size)| start.checked_add(size));
    match (start, end) {
        (Some(start), Some(end)) if end <= tar.len() => Ok(start..end),
        _ => Err(ArchiveError::Truncated),
    }
}

/// The end of the block that `end` lies in.
fn padded(end: usize, len: usize) -> usize {
    end.next_multiple_of(512).min(len)
}

#[cfg(test)]
mod tests;
