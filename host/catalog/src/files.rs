//! The files of one pack in memory, and the rules for what a pack may hold.
//!
//! A [`PackFiles`] can only be filled through checks, so whoever has one may write it to
//! disk below any folder without looking at the paths again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::archive::{ArchiveError, quoted};
use crate::limits::ArchiveLimits;

/// The manifest that every pack has at its top.
pub(crate) const PACK_YAML: &str = "pack.yaml";

/// No file system takes a longer name.
const NAME_BYTES: usize = 255;

/// One file of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackFile {
    pub(crate) bytes: Bytes,
    pub(crate) executable: bool,
}

/// All files of a pack, by path: relative, `/`-separated, without `.` or `..`, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackFiles {
    files: BTreeMap<String, PackFile>,
}

impl PackFiles {
    pub(crate) fn get(&self, path: &str) -> Option<&PackFile> {
        self.files.get(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &PackFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }
}

/// Gathers the files of a pack and refuses what a pack may not hold.
#[derive(Debug)]
pub(crate) struct Gathering {
    limits: ArchiveLimits,
    entries: u64,
    bytes: u64,
    files: BTreeMap<String, PackFile>,
    folders: BTreeSet<String>,
}

impl Gathering {
    pub(crate) fn new(limits: ArchiveLimits) -> Gathering {
        Gathering { limits, entries: 0, bytes: 0, files: BTreeMap::new(), folders: BTreeSet::new() }
    }

    /// Counts one entry, whatever it is.
    pub(crate) fn count_entry(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        if self.entries > self.limits.files {
            return Err(ArchiveError::TooManyFiles { limit: self.limits.files });
        }
        Ok(())
    }

    /// Refuses a file that is too large, before anybody reads it.
    pub(crate) fn check_size(&self, name: &str, size: u64) -> Result<(), ArchiveError> {
        if size > self.limits.file_bytes {
            let limit = self.limits.file_bytes;
            return Err(ArchiveError::FileTooLarge { entry: quoted(name), limit });
        }
        Ok(())
    }

    pub(crate) fn add_folder(&mut self, name: &str) -> Result<(), ArchiveError> {
        let path = self.normal_path(name)?;
        if path.is_empty() {
            return Ok(());
        }
        self.claim_folders(&path)?;
        self.claim_folder(&path)
    }

    pub(crate) fn add_file(&mut self, name: &str, file: PackFile) -> Result<(), ArchiveError> {
        let path = self.normal_path(name)?;
        if path.is_empty() || name.ends_with('/') {
            return Err(unsafe_path(name, "is no name for a file"));
        }
        self.check_size(name, file.bytes.len() as u64)?;
        self.bytes = self.bytes.saturating_add(file.bytes.len() as u64);
        if self.bytes > self.limits.extracted_bytes {
            return Err(ArchiveError::TooLarge { limit: self.limits.extracted_bytes });
        }
        self.claim_folders(&path)?;
        if self.folders.contains(&path) || self.files.contains_key(&path) {
            return Err(ArchiveError::Twice { entry: quoted(&path) });
        }
        self.files.insert(path, file);
        Ok(())
    }

    /// The pack, seen from the folder that holds its `pack.yaml`: the top, or else the
    /// only folder there.
    pub(crate) fn finish(self) -> Result<PackFiles, ArchiveError> {
        if self.files.contains_key(PACK_YAML) {
            return Ok(PackFiles { files: self.files });
        }
        let prefix = only_folder(&self.files).ok_or(ArchiveError::NoPackYaml)?;
        let below =
            |(path, file): (String, PackFile)| Some((path.strip_prefix(&prefix)?.to_owned(), file));
        let files: BTreeMap<String, PackFile> = self.files.into_iter().filter_map(below).collect();
        if files.contains_key(PACK_YAML) {
            Ok(PackFiles { files })
        } else {
            Err(ArchiveError::NoPackYaml)
        }
    }

    /// Removes `.` and empty names, and refuses paths that could lead elsewhere or that no
    /// file system takes. Empty for the top folder itself.
    fn normal_path(&self, name: &str) -> Result<String, ArchiveError> {
        if name.len() as u64 > self.limits.path_bytes {
            let limit = self.limits.path_bytes;
            return Err(ArchiveError::PathTooLong { entry: quoted(name), limit });
        }
        if name.starts_with('/') {
            return Err(unsafe_path(name, "is an absolute path"));
        }
        if name.chars().any(char::is_control) {
            return Err(unsafe_path(name, "has control characters in its name"));
        }
        let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") {
            return Err(unsafe_path(name, "has '..' in its path"));
        }
        if parts.iter().any(|part| part.len() > NAME_BYTES) {
            return Err(unsafe_path(name, "has a name of more than 255 bytes"));
        }
        if parts.len() as u64 > self.limits.depth {
            let limit = self.limits.depth;
            return Err(ArchiveError::TooDeep { entry: quoted(name), limit });
        }
        Ok(parts.join("/"))
    }

    /// Takes every folder above `path`.
    fn claim_folders(&mut self, path: &str) -> Result<(), ArchiveError> {
        for (slash, _) in path.match_indices('/') {
            self.claim_folder(&path[..slash])?;
        }
        Ok(())
    }

    fn claim_folder(&mut self, path: &str) -> Result<(), ArchiveError> {
        if self.files.contains_key(path) {
            return Err(ArchiveError::Twice { entry: quoted(path) });
        }
        if !self.folders.contains(path) {
            self.folders.insert(path.to_owned());
        }
        Ok(())
    }
}

/// The one folder, with its slash, that all files are in.
fn only_folder(files: &BTreeMap<String, PackFile>) -> Option<String> {
    let first = files.keys().next()?;
    let prefix = &first[..=first.find('/')?];
    files.keys().all(|path| path.starts_with(prefix)).then(|| prefix.to_owned())
}

fn unsafe_path(name: &str, problem: &'static str) -> ArchiveError {
    ArchiveError::UnsafePath { entry: quoted(name), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &'static str) -> PackFile {
        PackFile { bytes: Bytes::from_static(text.as_bytes()), executable: false }
    }

    fn gathered(names: &[&str]) -> Result<PackFiles, ArchiveError> {
        let mut gathering = Gathering::new(ArchiveLimits::default());
        for name in names {
            gathering.add_file(name, file("x"))?;
        }
        gathering.finish()
    }

    #[track_caller]
    fn refused(names: &[&str], text: &str) {
        let error = gathered(names).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }

    #[test]
    fn the_pack_is_at_the_top_or_one_folder_deep() {
        for names in [
            ["pack.yaml", "a/b.py"],
            ["./pack.yaml", "./a//b.py"],
            ["top/pack.yaml", "top/a/b.py"],
            ["./top/./pack.yaml", "top/a/b.py"],
        ] {
            let files = gathered(&names).unwrap();
            let paths: Vec<&str> = files.iter().map(|(path, _)| path).collect();
            assert_eq!(paths, ["a/b.py", "pack.yaml"]);
        }
        refused(&["one/pack.yaml", "two/a.py"], "no pack.yaml");
        refused(&["one/two/pack.yaml"], "no pack.yaml");
        refused(&[], "no pack.yaml");
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        refused(&["/etc/passwd"], "absolute");
        refused(&["a/../../b"], "'..'");
        refused(&["a\nb"], "control characters");
        refused(&["a\0b"], "control characters");
        refused(&["a/"], "no name for a file");
        refused(&["."], "no name for a file");
        refused(&[&"n".repeat(256)], "255 bytes");
        refused(&[&"n/".repeat(501)], "archive.path_bytes");
        refused(&[&format!("{}x", "n/".repeat(32))], "archive.depth");
    }

    #[test]
    fn a_name_is_there_once() {
        refused(&["a", "a"], "twice");
        refused(&["a/b", "./a//b"], "twice");
        refused(&["a", "a/b"], "twice");
        refused(&["a/b", "a"], "twice");
        let mut gathering = Gathering::new(ArchiveLimits::default());
        gathering.add_folder("a/").unwrap();
        gathering.add_folder("a").unwrap();
        assert!(gathering.add_file("a", file("x")).is_err());
    }

    #[test]
    fn sizes_are_bounded() {
        let limits =
            ArchiveLimits { file_bytes: 4, extracted_bytes: 6, ..ArchiveLimits::default() };
        let mut gathering = Gathering::new(limits);
        assert!(matches!(
            gathering.add_file("big", file("12345")),
            Err(ArchiveError::FileTooLarge { .. })
        ));
        gathering.add_file("a", file("1234")).unwrap();
        assert!(matches!(gathering.add_file("b", file("123")), Err(ArchiveError::TooLarge { .. })));
    }
}
