//! Writes the files of a pack as an archive that depends on nothing but them.
//!
//! Sorted, without times, owners or folders: two uploads of the same files have one digest,
//! however they were packed, and share one folder.

use std::io::{self, Write};

use attune_domain::pack::PackArchive;
use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::files::{PackFile, PackFiles};

/// "Unknown" in the gzip header, on every system.
const NO_SYSTEM: u8 = 255;

/// The canonical archive of `files` with its digest.
pub(crate) fn archive(files: &PackFiles) -> io::Result<PackArchive> {
    let bytes = write(files)?;
    Ok(PackArchive { digest: digest(&bytes), bytes })
}

/// SHA-256 in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn write(files: &PackFiles) -> io::Result<Bytes> {
    let gzip = GzBuilder::new().operating_system(NO_SYSTEM).mtime(0);
    let mut tar = Builder::new(gzip.write(Vec::new(), Compression::default()));
    for (path, file) in files.iter() {
        append(&mut tar, path, file)?;
    }
    Ok(tar.into_inner()?.finish()?.into())
}

fn append(tar: &mut Builder<impl Write>, path: &str, file: &PackFile) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(file.bytes.len() as u64);
    header.set_mode(if file.executable { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, path, file.bytes.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive;
    use crate::files::Gathering;
    use crate::limits::ArchiveLimits;

    fn files(entries: &[(&str, &'static str, bool)]) -> PackFiles {
        let mut gathering = Gathering::new(ArchiveLimits::default());
        for (path, text, executable) in entries {
            let file =
                PackFile { bytes: Bytes::from_static(text.as_bytes()), executable: *executable };
            gathering.add_file(path, file).unwrap();
        }
        gathering.finish().unwrap()
    }

    #[test]
    fn the_order_of_packing_does_not_show() {
        let one = files(&[("pack.yaml", "ref: a", false), ("b", "2", true)]);
        let two = files(&[("./b", "2", true), ("./pack.yaml", "ref: a", false)]);
        assert_eq!(archive(&one).unwrap().digest, archive(&two).unwrap().digest);
    }

    #[test]
    fn content_and_the_executable_bit_show() {
        let digest_of = |text, executable| {
            archive(&files(&[("pack.yaml", "ref: a", false), ("b", text, executable)]))
                .unwrap()
                .digest
        };
        assert_ne!(digest_of("1", false), digest_of("2", false));
        assert_ne!(digest_of("1", false), digest_of("1", true));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let long = format!("{}/file.py", "folder".repeat(30));
        let all =
            files(&[("pack.yaml", "ref: a", false), (&long, "x = 1", true), ("empty", "", false)]);
        let bytes = archive(&all).unwrap().bytes;
        assert_eq!(archive::read(&bytes, ArchiveLimits::default()).unwrap(), all);
    }
}
