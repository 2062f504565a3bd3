//! wasmtime-wasi's files, with a quota in front of every call that takes room.
//!
//! wasmtime-wasi keeps a guest inside its directories, and the pack read-only;
//! it does not bound how much is written, created or opened. Calls that take
//! nothing are passed on as they are. Links of both kinds are refused: nothing a
//! script does in `/tmp` needs them, and without them a file has one name, so
//! removing it frees its bytes.

mod passed_on;
mod streams;

use std::fs::File;
use std::sync::Arc;

use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, DirectoryEntryStream, ErrorCode, HostDescriptor, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p2::{DynOutputStream, FsResult};

use self::streams::{Position, Writer};
use super::Guest;
use super::open_files::OpenFiles;
use super::quota::Quota;

/// Tells the linker what the guarded calls work on.
pub(super) struct GuardedFilesystem;

impl HasData for GuardedFilesystem {
    type Data<'a> = Guarded<'a>;
}

/// The file system of one guest, and what it may still take of it.
pub(super) struct Guarded<'a> {
    files: WasiFilesystemCtxView<'a>,
    quota: &'a mut Quota,
    open_files: &'a mut OpenFiles,
}

type Handle = Resource<Descriptor>;

impl Guarded<'_> {
    pub(super) fn of(guest: &mut Guest) -> Guarded<'_> {
        // The two halves of `guest` are borrowed apart, which `WasiFilesystemView` cannot do.
        let Guest { wasi, table, quota, open_files, .. } = guest;
        let files = WasiFilesystemCtxView { ctx: wasi.filesystem(), table };
        Guarded { files, quota, open_files }
    }

    async fn open(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Handle> {
        if !self.open_files.has_room() {
            return Err(ErrorCode::Quota.into());
        }
        let opened = self.open_counted(directory, path_flags, path, open, flags).await?;
        let file = match self.files.table.get(&opened)? {
            Descriptor::File(file) => &file.file,
            Descriptor::Dir(directory) => &directory.dir,
        };
        self.open_files.opened(opened.rep(), file);
        Ok(opened)
    }

    async fn open_counted(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Handle> {
        if !open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE) {
            return self.files.open_at(directory, path_flags, path, open, flags).await;
        }
        let before = self.files.stat_at(again(&directory), path_flags, path.clone()).await;
        let creates = open.contains(OpenFlags::CREATE) && before.is_err();
        if creates && !self.quota.add_entry() {
            return Err(ErrorCode::Quota.into());
        }
        let opened = self.files.open_at(directory, path_flags, path, open, flags).await;
        match (&opened, before) {
            (Ok(_), Ok(old)) if open.contains(OpenFlags::TRUNCATE) => {
                self.quota.space.give_back(old.size);
            }
            (Err(_), _) if creates => self.quota.remove_entry(),
            _ => {}
        }
        opened
    }

    async fn create_directory(&mut self, directory: Handle, path: String) -> FsResult<()> {
        if !self.quota.add_entry() {
            return Err(ErrorCode::Quota.into());
        }
        let created = self.files.create_directory_at(directory, path).await;
        if created.is_err() {
            self.quota.remove_entry();
        }
        created
    }

    async fn remove_directory(&mut self, directory: Handle, path: String) -> FsResult<()> {
        self.files.remove_directory_at(directory, path).await?;
        self.quota.remove_entry();
        Ok(())
    }

    async fn unlink(&mut self, directory: Handle, path: String) -> FsResult<()> {
        let freed = self.freed_by_removing(&directory, &path).await;
        self.files.unlink_file_at(directory, path).await?;
        self.quota.space.give_back(freed.unwrap_or(0));
        self.quota.remove_entry();
        Ok(())
    }

    async fn rename(&mut self, from: Handle, old: String, to: Handle, new: String) -> FsResult<()> {
        let replaced = self.freed_by_removing(&to, &new).await;
        // Renaming a file to itself replaces nothing.
        let same = self.same_file((&from, &old), (&to, &new)).await;
        self.files.rename_at(from, old, to, new).await?;
        if let (Some(size), false) = (replaced, same) {
            self.quota.space.give_back(size);
            self.quota.remove_entry();
        }
        Ok(())
    }

    async fn resize(&mut self, file: Handle, size: u64) -> FsResult<()> {
        let old = length(&*self.file(&file)?);
        if !self.quota.space.take(size.saturating_sub(old)) {
            return Err(ErrorCode::InsufficientSpace.into());
        }
        let resized = self.files.set_size(file, size).await;
        match &resized {
            Ok(()) => self.quota.space.give_back(old.saturating_sub(size)),
            Err(_) => self.quota.space.give_back(size.saturating_sub(old)),
        }
        resized
    }

    async fn write_at(&mut self, file: Handle, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        let end = offset.saturating_add(bytes.len() as u64);
        let growth = end.saturating_sub(length(&*self.file(&file)?));
        if !self.quota.space.take(growth) {
            return Err(ErrorCode::InsufficientSpace.into());
        }
        let written = self.files.write(file, bytes, offset).await;
        if written.is_err() {
            self.quota.space.give_back(growth);
        }
        written
    }

    /// The entries of a directory, which the host holds until the listing is closed.
    async fn list(&mut self, directory: Handle) -> FsResult<Resource<DirectoryEntryStream>> {
        if !self.quota.open_listing() {
            return Err(ErrorCode::Quota.into());
        }
        let listing = self.files.read_directory(directory).await;
        if listing.is_err() {
            self.quota.close_listing();
        }
        listing
    }

    /// Replaces wasmtime-wasi's stream into `file`, which has passed its checks.
    fn write_by_ourselves(
        &mut self,
        stream: Resource<DynOutputStream>,
        file: Arc<File>,
        position: Position,
    ) -> FsResult<Resource<DynOutputStream>> {
        let writer = Writer::new(file, position, self.quota.space.clone());
        *self.files.table.get_mut(&stream)? = Box::new(writer);
        Ok(stream)
    }

    fn close(&mut self, handle: Handle) -> wasmtime::Result<()> {
        let number = handle.rep();
        HostDescriptor::drop(&mut self.files, handle)?;
        self.open_files.closed(number);
        Ok(())
    }

    fn file(&self, handle: &Handle) -> FsResult<Arc<File>> {
        match self.files.table.get(handle)? {
            Descriptor::File(file) => Ok(file.file.clone()),
            Descriptor::Dir(_) => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    /// The bytes that come free when what is at a path goes; none if nothing is there.
    async fn freed_by_removing(&mut self, directory: &Handle, path: &str) -> Option<u64> {
        let stat =
            self.files.stat_at(again(directory), PathFlags::empty(), path.to_owned()).await.ok()?;
        if stat.type_ != DescriptorType::RegularFile {
            return Some(0);
        }
        let is_open = self.is_open(directory, path).await.unwrap_or(true);
        Some(if is_open { 0 } else { stat.size })
    }

    /// Whether the guest holds the file at a path open; it is opened once more to find out.
    async fn is_open(&mut self, directory: &Handle, path: &str) -> FsResult<bool> {
        let (flags, open, read) = (PathFlags::empty(), OpenFlags::empty(), DescriptorFlags::READ);
        let probe =
            self.files.open_at(again(directory), flags, path.to_owned(), open, read).await?;
        let file = self.file(&probe);
        HostDescriptor::drop(&mut self.files, probe).map_err(wasmtime_wasi::p2::FsError::trap)?;
        Ok(self.open_files.contains(&*file?))
    }

    async fn same_file(&mut self, one: (&Handle, &str), other: (&Handle, &str)) -> bool {
        let one = self.identity(one).await;
        one.is_some() && one == self.identity(other).await
    }

    async fn identity(&mut self, (directory, path): (&Handle, &str)) -> Option<(u64, u64)> {
        let flags = PathFlags::empty();
        let hash = self.files.metadata_hash_at(again(directory), flags, path.to_owned()).await;
        hash.ok().map(|hash| (hash.lower, hash.upper))
    }
}

/// The same handle for a second call; it stays the guest's.
fn again(handle: &Handle) -> Handle {
    Resource::new_borrow(handle.rep())
}

/// A file's length now; a file that cannot be asked counts as empty, so that all of a write is counted.
fn length(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}
