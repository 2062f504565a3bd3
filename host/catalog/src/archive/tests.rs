//! Hostile archives, written header by header.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{EntryType, Header};

use super::*;

const LIMITS: ArchiveLimits = ArchiveLimits {
    extracted_bytes: 1 << 20,
    files: 100,
    file_bytes: 1 << 16,
    path_bytes: 200,
    depth: 5,
};

/// A tar in the making. Names go into the header as they are, which `tar::Builder` refuses.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    /// A good pack, to which something bad is added.
    fn pack() -> Tar {
        Tar::default().file("pack.yaml", b"ref: a")
    }

    fn file(self, name: &str, content: &[u8]) -> Tar {
        self.entry(EntryType::Regular, name.as_bytes(), content)
    }

    fn entry(self, kind: EntryType, name: &[u8], content: &[u8]) -> Tar {
        self.claiming(kind, name, content.len() as u64, content)
    }

    /// An entry whose header claims a size of its own.
    fn claiming(mut self, kind: EntryType, name: &[u8], size: u64, content: &[u8]) -> Tar {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn pax(self, key: &str, value: &str) -> Tar {
        let rest = format!(" {key}={value}\n");
        let digits = if rest.len() + 2 < 100 { 2 } else { 3 };
        let record = format!("{}{rest}", rest.len() + digits);
        self.entry(EntryType::XHeader, b"pax", record.as_bytes())
    }

    fn gzip(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        gzip(&self.0)
    }

    fn read(self) -> Result<PackFiles, ArchiveError> {
        read(&self.gzip(), LIMITS)
    }

    #[track_caller]
    fn refused(self, text: &str) {
        let error = self.read().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_good_pack_is_read() {
    let tar = Tar::pack().entry(EntryType::Directory, b"lib/", b"").file("./lib/a.py", b"x = 1");
    let files = tar.read().unwrap();
    assert_eq!(files.get("lib/a.py").unwrap().bytes.as_ref(), b"x = 1");
    assert_eq!(files.iter().count(), 2);
}

#[test]
fn only_files_and_folders_are_taken() {
    for (kind, word) in [
        (EntryType::Symlink, "symbolic link"),
        (EntryType::Link, "hard link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "named pipe"),
        (EntryType::GNUSparse, "sparse"),
        (EntryType::Continuous, "special"),
        (EntryType::GNULongLink, "special"),
        (EntryType::new(b'?'), "special"),
    ] {
        Tar::pack().entry(kind, b"evil", b"").refused(word);
    }
}

#[test]
fn a_refusal_names_the_entry() {
    Tar::pack().entry(EntryType::Symlink, b"a/evil", b"").refused("'a/evil'");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    Tar::pack().file("../evil", b"").refused("'..'");
    Tar::pack().file("a/../../evil", b"").refused("'..'");
    Tar::pack().file("/etc/passwd", b"").refused("absolute");
    Tar::pack().entry(EntryType::Directory, b"../evil/", b"").refused("'..'");
    Tar::pack().entry(EntryType::Regular, b"a\xff", b"").refused("UTF-8");
    Tar::pack().entry(EntryType::Regular, b"a\x1b[31m", b"").refused("control");
}

#[test]
fn a_name_is_there_once() {
    Tar::pack().file("a", b"1").file("./a", b"2").refused("twice");
    Tar::pack().file("a", b"1").file("a/b", b"2").refused("twice");
}

#[test]
fn a_long_name_comes_from_an_extension() {
    let long = format!("{}/a.py", "n".repeat(120));
    for tar in [
        Tar::pack().entry(EntryType::GNULongName, b"long", format!("{long}\0").as_bytes()),
        Tar::pack().pax("path", &long),
    ] {
        assert!(tar.file("short", b"x").read().unwrap().get(&long).is_some());
    }
}

#[test]
fn a_name_from_an_extension_is_checked_too() {
    Tar::pack().pax("path", "../evil").file("good", b"").refused("'..'");
    let tar = Tar::pack().entry(EntryType::GNULongName, b"long", b"/etc/passwd\0");
    tar.file("good", b"").refused("absolute");
    let tar = Tar::pack().entry(EntryType::GNULongName, b"long", b"good\0/../evil\0");
    tar.file("good", b"").refused("control");
}

#[test]
fn extensions_that_readers_understand_differently_are_refused() {
    Tar::pack().pax("size", "0").file("a", b"x").refused("'size'");
    Tar::pack().pax("GNU.sparse.map", "0,1").file("a", b"x").refused("sparse");
    Tar::pack().pax("path", "a").pax("path", "b").file("c", b"").refused("two names");
    let record = b"15 path=global\n";
    let tar = Tar::pack().entry(EntryType::XGlobalHeader, b"pax", record);
    tar.file("c", b"").refused("'path'");
    let tar = Tar::pack().entry(EntryType::XHeader, b"pax", b"99 path=a\n");
    tar.file("c", b"").refused("malformed");
    Tar::pack().pax("path", "a").refused("cut off");
}

#[test]
fn harmless_extensions_pass() {
    let tar = Tar::pack().entry(EntryType::XGlobalHeader, b"pax", b"16 comment=1234\n");
    assert!(tar.pax("mtime", "1.5").file("a", b"x").read().is_ok());
}

#[test]
fn a_long_extension_is_not_even_parsed() {
    let tar = Tar::pack().entry(EntryType::XHeader, b"pax", &vec![b'9'; 70_000]);
    tar.file("c", b"").refused("64 KiB");
}

#[test]
fn what_is_too_large_names_its_setting() {
    Tar::pack().file("big", &vec![0; (1 << 16) + 1]).refused("'big' is larger");
    let many = (0..100).fold(Tar::pack(), |tar, i| tar.file(&format!("f{i}"), b""));
    many.refused("archive.files");
    let folders = (0..100).fold(Tar::pack(), |tar, i| {
        tar.entry(EntryType::Directory, format!("d{i}/").as_bytes(), b"")
    });
    folders.refused("archive.files");
    let large = (0..20).fold(Tar::pack(), |tar, i| tar.file(&format!("f{i}"), &vec![0; 60_000]));
    large.refused("archive.extracted_bytes");
    Tar::pack().file("a/b/c/d/e/f", b"").refused("archive.depth");
}

#[test]
fn a_size_beyond_the_end_is_refused() {
    for size in [1 << 15, 1 << 33, u64::MAX / 2] {
        Tar::pack().claiming(EntryType::Regular, b"a", size, b"short").read().unwrap_err();
    }
    Tar::pack().claiming(EntryType::Regular, b"a", 5000, b"short").refused("cut off");
}

#[test]
fn a_bomb_is_not_decompressed() {
    // 64 MiB of zeros, were it decompressed.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        bomb.write_all(&zeros).unwrap();
    }
    let error = read(&bomb.finish().unwrap(), LIMITS).unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge { .. }));
}

#[test]
fn what_is_no_gzip_tar_is_refused() {
    for bytes in [&b""[..], b"hello", &[0x1f, 0x8b], &[0; 4096]] {
        assert!(matches!(read(bytes, LIMITS), Err(ArchiveError::Gzip(_))));
    }
    assert!(matches!(read(&gzip(b""), LIMITS), Err(ArchiveError::NoPackYaml)));
    assert!(matches!(read(&gzip(&[7; 2048]), LIMITS), Err(ArchiveError::Tar(_))));
    let whole = Tar::pack().gzip();
    assert!(matches!(read(&whole[..whole.len() - 9], LIMITS), Err(ArchiveError::Gzip(_))));
}

#[test]
fn nothing_may_follow_the_archive() {
    let mut gzip_twice = Tar::pack().gzip();
    gzip_twice.extend(Tar::pack().gzip());
    assert!(matches!(read(&gzip_twice, LIMITS), Err(ArchiveError::TrailingData)));
    let mut hidden = Tar::pack();
    hidden.0.extend([0; 1024]);
    let hidden = hidden.file("hidden", b"x");
    assert!(matches!(hidden.read(), Err(ArchiveError::TrailingData)));
}

#[test]
fn a_name_cannot_forge_the_error_text() {
    let error = Tar::pack().pax("path", "a'\u{1b}[2J").file("a", b"").read().unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'));
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = read(&bytes, LIMITS);
        let _ = read(&gzip(&bytes), LIMITS);
    }

    #[test]
    fn a_damaged_archive_gives_an_answer(place in 0_usize..6000, byte in any::<u8>()) {
        let mut tar = Tar::pack()
            .pax("path", "long/name")
            .file("a", b"content")
            .entry(EntryType::GNULongName, b"long", b"other/name\0")
            .file("b", &[1; 700]);
        let place = place % tar.0.len();
        tar.0[place] = byte;
        let _ = tar.read();
    }
}
