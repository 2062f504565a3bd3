//! Which files a guest holds open, counted by what keeps them open: a stream
//! does so after its descriptor is gone.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Weak};

use attune_domain::limits::Limits;

/// The open files and folders of one guest.
pub(super) struct OpenFiles {
    limit: usize,
    /// By the number of the descriptor. Only what the guest opened is here, not its preopens.
    descriptors: HashMap<u32, Weak<File>>,
    /// Files whose descriptor was closed while a stream still used them.
    lingering: Vec<Weak<File>>,
}

impl OpenFiles {
    pub(super) fn new(limits: &Limits) -> OpenFiles {
        let limit = usize::try_from(limits.open_files).unwrap_or(usize::MAX);
        OpenFiles { limit, descriptors: HashMap::new(), lingering: Vec::new() }
    }

    /// Whether one more may be opened.
    pub(super) fn has_room(&mut self) -> bool {
        self.lingering.retain(|file| file.strong_count() > 0);
        self.descriptors.len() + self.lingering.len() < self.limit
    }

    pub(super) fn opened(&mut self, descriptor: u32, file: &Arc<File>) {
        self.descriptors.insert(descriptor, Arc::downgrade(file));
    }

    /// To be called when the descriptor is gone.
    pub(super) fn closed(&mut self, descriptor: u32) {
        self.lingering.retain(|file| file.strong_count() > 0);
        let file = self.descriptors.remove(&descriptor);
        self.lingering.extend(file.filter(|file| file.strong_count() > 0));
    }

    /// Whether the file is among them.
    pub(super) fn contains(&self, file: &File) -> bool {
        let Some(wanted) = identity(file) else { return true };
        self.descriptors
            .values()
            .chain(&self.lingering)
            .filter_map(Weak::upgrade)
            .any(|open| identity(&open) == Some(wanted))
    }
}

fn identity(file: &File) -> Option<(u64, u64)> {
    file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    #[test]
    fn a_closed_descriptor_makes_room() {
        let mut files = OpenFiles::new(&Limits { open_files: 1, ..Limits::default() });
        assert!(files.has_room());
        files.opened(3, &file());
        assert!(!files.has_room());
        files.closed(3);
        assert!(files.has_room());
    }

    #[test]
    fn a_stream_keeps_a_file_open() {
        let mut files = OpenFiles::new(&Limits { open_files: 1, ..Limits::default() });
        let stream = file();
        files.opened(3, &stream);
        files.closed(3);
        assert!(!files.has_room() && files.contains(&stream));
        drop(stream);
        assert!(files.has_room());
    }

    #[test]
    fn dropping_a_preopen_makes_no_room() {
        let mut files = OpenFiles::new(&Limits { open_files: 1, ..Limits::default() });
        files.opened(3, &file());
        files.closed(1);
        assert!(!files.has_room());
    }
}
