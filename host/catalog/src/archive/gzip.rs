//! Decompression that stops at a limit.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::GzDecoder;

use super::ArchiveError;

/// The content of a gzip file, which has one member and no more than `limit` bytes in it.
pub(super) fn decompress(archive: &[u8], limit: u64) -> Result<Bytes, ArchiveError> {
    let mut decoder = GzDecoder::new(archive);
    let mut content = Vec::new();
    // One byte more than the limit shows that there would be more.
    let mut bounded = decoder.by_ref().take(limit.saturating_add(1));
    bounded.read_to_end(&mut content).map_err(ArchiveError::Gzip)?;
    if content.len() as u64 > limit {
        return Err(ArchiveError::TooLarge { limit });
    }
    if decoder.into_inner().is_empty() {
        Ok(Bytes::from(content))
    } else {
        Err(ArchiveError::TrailingData)
    }
}
