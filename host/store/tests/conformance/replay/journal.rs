//! What a process did to a folder, and what a power cut at any moment leaves of it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// One record of the shim, see `shim.c`.
#[derive(Debug)]
pub(super) enum Record {
    Created {
        inode: u64,
        name: String,
    },
    Unlinked {
        name: String,
    },
    Wrote {
        inode: u64,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncated {
        inode: u64,
        size: usize,
    },
    Synced {
        inode: u64,
    },
    FolderSynced,
    /// Something the process said, such as which submission it was told is safe.
    Message(String),
}

/// Reads a journal; a record that was cut off by the end of the process is left out.
pub(super) fn read(bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some((record, after)) = read_one(rest) {
        records.push(record);
        rest = after;
    }
    records
}

fn read_one(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (inode, rest) = number(rest)?;
    let (offset, rest) = number(rest)?;
    let (length, rest) = number(rest)?;
    let (data, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let offset = usize::try_from(offset).ok()?;
    let text = || String::from_utf8_lossy(data).into_owned();
    let name = || Path::new(&text()).file_name().unwrap().to_string_lossy().into_owned();
    let record = match kind {
        b'C' => Record::Created { inode, name: name() },
        b'U' => Record::Unlinked { name: name() },
        b'W' => Record::Wrote { inode, offset, bytes: data.to_vec() },
        b'T' => Record::Truncated { inode, size: offset },
        b'S' => Record::Synced { inode },
        b'D' => Record::FolderSynced,
        b'M' => Record::Message(text()),
        other => panic!("unknown record {other}"),
    };
    Some((record, rest))
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_ne_bytes(*number), rest))
}

/// Whether the disk happened to keep the change of the n-th record though nothing had synced it.
pub(super) type Luck<'a> = &'a dyn Fn(usize) -> bool;

/// The files of the folder after a power cut that came right after `records`.
///
/// What was synced is there: the writes to a file by a sync of that file, its name by a sync
/// of the folder. Of the rest, what `luck` says. The shared memory file does not count.
pub(super) fn after_power_cut(records: &[Record], luck: Luck<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut files: Vec<File<'_>> = Vec::new();
    let mut by_inode: HashMap<u64, usize> = HashMap::new();
    let mut names: Vec<(usize, &str, Option<usize>)> = Vec::new();
    let mut names_synced = 0;
    for (index, record) in records.iter().enumerate() {
        match record {
            Record::Created { inode, name } => {
                by_inode.insert(*inode, files.len());
                names.push((index, name, Some(files.len())));
                files.push(File::default());
            }
            Record::Unlinked { name } => names.push((index, name, None)),
            Record::Wrote { inode, .. } | Record::Truncated { inode, .. } => {
                files[by_inode[inode]].changes.push((index, record));
            }
            Record::Synced { inode } => {
                let file = &mut files[by_inode[inode]];
                file.synced = file.changes.len();
            }
            Record::FolderSynced => names_synced = names.len(),
            Record::Message(_) => {}
        }
    }
    let mut folder = BTreeMap::new();
    for (place, (index, name, file)) in names.into_iter().enumerate() {
        if place >= names_synced && !luck(index) || name.ends_with("-shm") {
            continue;
        }
        match file {
            Some(file) => folder.insert(name.to_owned(), files[file].content(luck)),
            None => folder.remove(name),
        };
    }
    folder
}

/// The changes of a file, with the number of the record each came with.
#[derive(Default)]
struct File<'a> {
    changes: Vec<(usize, &'a Record)>,
    synced: usize,
}

impl File<'_> {
    fn content(&self, luck: Luck<'_>) -> Vec<u8> {
        let mut content = Vec::new();
        for (place, (index, change)) in self.changes.iter().enumerate() {
            if place >= self.synced && !luck(*index) {
                continue;
            }
            match change {
                Record::Wrote { offset, bytes, .. } => {
                    let end = offset + bytes.len();
                    content.resize(content.len().max(end), 0);
                    content[*offset..end].copy_from_slice(bytes);
                }
                Record::Truncated { size, .. } => content.resize(*size, 0),
                other => unreachable!("{other:?} changes no file"),
            }
        }
        content
    }
}
