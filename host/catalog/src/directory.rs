//! Packs a folder on disk into an archive: the client's side of an upload.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;

use crate::archive::{ArchiveError, quoted};
use crate::canonical;
use crate::files::{Gathering, PackFile};
use crate::limits::ArchiveLimits;

/// The canonical archive of the pack in `dir`, without what never belongs to a pack: `.git`,
/// `__pycache__` and `*.pyc`. Links and special files are refused.
pub fn archive_directory(dir: &Path) -> Result<Bytes, ArchiveError> {
    let mut gathering = Gathering::new(ArchiveLimits::default());
    gather(dir, "", &mut gathering)?;
    let files = gathering.finish()?;
    let archive = canonical::archive(&files).map_err(|error| cannot_read(dir, error))?;
    Ok(archive.bytes)
}

fn gather(dir: &Path, prefix: &str, gathering: &mut Gathering) -> Result<(), ArchiveError> {
    for entry in fs::read_dir(dir).map_err(|error| cannot_read(dir, error))? {
        let entry = entry.map_err(|error| cannot_read(dir, error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            let entry = quoted(&name.to_string_lossy());
            return Err(ArchiveError::UnsafePath {
                entry,
                problem: "has a name that is not UTF-8",
            });
        };
        if !is_left_out(name) {
            gather_entry(&entry.path(), &format!("{prefix}{name}"), gathering)?;
        }
    }
    Ok(())
}

fn gather_entry(path: &Path, name: &str, gathering: &mut Gathering) -> Result<(), ArchiveError> {
    gathering.count_entry()?;
    let metadata = fs::symlink_metadata(path).map_err(|error| cannot_read(path, error))?;
    if metadata.is_dir() {
        gathering.add_folder(name)?;
        return gather(path, &format!("{name}/"), gathering);
    }
    if !metadata.is_file() {
        let kind = if metadata.is_symlink() { "symbolic link" } else { "special file" };
        return Err(ArchiveError::Kind { entry: quoted(name), kind });
    }
    gathering.check_size(name, metadata.len())?;
    let bytes = fs::read(path).map_err(|error| cannot_read(path, error))?.into();
    let executable = metadata.permissions().mode() & 0o100 != 0;
    gathering.add_file(name, PackFile { bytes, executable })
}

fn is_left_out(name: &str) -> bool {
    matches!(name, ".git" | "__pycache__")
        || Path::new(name).extension().is_some_and(|extension| extension == "pyc")
}

fn cannot_read(path: &Path, source: io::Error) -> ArchiveError {
    ArchiveError::Directory { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::archive;

    fn pack() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["actions", ".git", "lib/__pycache__"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in ["pack.yaml", "actions/a.py", ".git/HEAD", "lib/__pycache__/a.pyc", "lib/b.pyc"]
        {
            fs::write(dir.path().join(file), "text").unwrap();
        }
        dir
    }

    #[test]
    fn what_is_no_part_of_a_pack_stays_behind() {
        let archive = archive_directory(pack().path()).unwrap();
        let files = archive::read(&archive, ArchiveLimits::default()).unwrap();
        let paths: Vec<&str> = files.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["actions/a.py", "pack.yaml"]);
    }

    #[test]
    fn a_link_is_refused_and_not_followed() {
        let pack = pack();
        symlink("/etc", pack.path().join("lib/etc")).unwrap();
        let error = archive_directory(pack.path()).unwrap_err().to_string();
        assert!(error.contains("'lib/etc' is a symbolic link"), "{error}");
    }

    #[test]
    fn a_folder_without_a_manifest_is_no_pack() {
        let error = archive_directory(&pack().path().join("actions")).unwrap_err();
        assert!(matches!(error, ArchiveError::NoPackYaml));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = archive_directory(Path::new("/no/such")).unwrap_err().to_string();
        assert!(error.contains("/no/such"), "{error}");
    }
}
