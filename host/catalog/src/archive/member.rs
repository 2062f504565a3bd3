//! Names of archive members, with the extension headers that may stand before one.

use tar::{EntryType, Header};

use super::{ArchiveError, quoted};

/// No honest extension header is longer: it holds one path and a few attributes.
const EXTENSION_BYTES: usize = 64 << 10;

/// The name that extension headers gave to the member that comes next.
#[derive(Debug, Default)]
pub(super) struct Naming {
    next: Option<String>,
    /// Whether extension headers wait for their member.
    pending: bool,
}

impl Naming {
    /// Reads one extension header.
    pub(super) fn read_extension(
        &mut self,
        kind: EntryType,
        body: &[u8],
    ) -> Result<(), ArchiveError> {
        if body.len() > EXTENSION_BYTES {
            return Err(extension("an extension of more than 64 KiB"));
        }
        match kind {
            EntryType::GNULongName => self.set(text(body.strip_suffix(b"\0").unwrap_or(body))?),
            _ => self.read_pax(body, kind.is_pax_global_extensions()),
        }
    }

    /// The name of the member that `header` describes.
    pub(super) fn take(&mut self, header: &Header) -> Result<String, ArchiveError> {
        self.pending = false;
        match self.next.take() {
            Some(name) => Ok(name),
            None => text(&header.path_bytes()),
        }
    }

    /// Extension headers at the end describe nothing.
    pub(super) fn finish(self) -> Result<(), ArchiveError> {
        if self.pending { Err(ArchiveError::Truncated) } else { Ok(()) }
    }

    fn read_pax(&mut self, body: &[u8], global: bool) -> Result<(), ArchiveError> {
        self.pending |= !global;
        for record in pax_records(body) {
            let (key, value) = record.ok_or_else(|| extension("a malformed pax record"))?;
            let key = String::from_utf8_lossy(key);
            // A size or a sparse map would move where the next member begins, for some
            // readers and not for others; a path for all members names none.
            if key == "size" || key.starts_with("GNU.sparse") || (global && key == "path") {
                return Err(extension(&key));
            }
            if key == "path" {
                self.set(text(value)?)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, name: String) -> Result<(), ArchiveError> {
        self.pending = true;
        match self.next.replace(name) {
            None => Ok(()),
            Some(_) => Err(extension("two names for one entry")),
        }
    }
}

/// Records of the form `<length> <key>=<value>\n`, whose length counts itself.
/// None marks what is not such a record, and is the last item.
fn pax_records(mut body: &[u8]) -> impl Iterator<Item = Option<(&[u8], &[u8])>> {
    std::iter::from_fn(move || {
        if body.is_empty() {
            return None;
        }
        let Some((record, rest)) = split_record(body) else {
            body = &[];
            return Some(None);
        };
        body = rest;
        Some(Some(record))
    })
}

#[expect(clippy::type_complexity, reason = "a record and the rest, read in one place")]
fn split_record(body: &[u8]) -> Option<((&[u8], &[u8]), &[u8])> {
    let space = body.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&body[..space]).ok()?.parse().ok()?;
    let (record, rest) = body.split_at_checked(length)?;
    let pair = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some(((&pair[..equals], &pair[equals + 1..]), rest))
}

fn text(name: &[u8]) -> Result<String, ArchiveError> {
    String::from_utf8(name.to_vec()).map_err(|_| ArchiveError::UnsafePath {
        entry: quoted(&String::from_utf8_lossy(name)),
        problem: "has a name that is not UTF-8",
    })
}

fn extension(header: &str) -> ArchiveError {
    ArchiveError::Extension { header: quoted(header) }
}

/// What a refused member is, for its author.
pub(super) fn kind(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "symbolic link",
        EntryType::Link => "hard link",
        EntryType::Char | EntryType::Block => "device",
        EntryType::Fifo => "named pipe",
        EntryType::GNUSparse => "sparse file",
        _ => "special entry",
    }
}
