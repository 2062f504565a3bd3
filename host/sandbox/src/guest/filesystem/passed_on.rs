//! The functions of `wasi:filesystem/types`, one line each: guarded or passed on.

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::streams::{Position, Reader};
use super::{Guarded, Handle, again};

impl Host for Guarded<'_> {
    fn convert_error_code(&mut self, error: FsError) -> Result<ErrorCode> {
        self.files.convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> Result<Option<ErrorCode>> {
        self.files.filesystem_error_code(error)
    }
}

impl HostDescriptor for Guarded<'_> {
    // Guarded.

    async fn open_at(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Handle> {
        self.open(directory, path_flags, path, open, flags).await
    }

    fn drop(&mut self, handle: Handle) -> Result<()> {
        self.close(handle)
    }

    async fn create_directory_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        self.create_directory(directory, path).await
    }

    async fn remove_directory_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        self.remove_directory(directory, path).await
    }

    async fn unlink_file_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        self.unlink(directory, path).await
    }

    async fn rename_at(
        &mut self,
        from: Handle,
        old: String,
        to: Handle,
        new: String,
    ) -> FsResult<()> {
        self.rename(from, old, to, new).await
    }

    async fn set_size(&mut self, file: Handle, size: Filesize) -> FsResult<()> {
        self.resize(file, size).await
    }

    async fn write(
        &mut self,
        file: Handle,
        bytes: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        self.write_at(file, bytes, offset).await
    }

    fn read_via_stream(
        &mut self,
        handle: Handle,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        // Its refusals are wasmtime-wasi's; what it makes is replaced.
        let stream = self.files.read_via_stream(again(&handle), offset)?;
        *self.files.table.get_mut(&stream)? = Box::new(Reader::new(self.file(&handle)?, offset));
        Ok(stream)
    }

    fn write_via_stream(
        &mut self,
        handle: Handle,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(&handle)?;
        let stream = self.files.write_via_stream(handle, offset)?;
        self.write_by_ourselves(stream, file, Position::At(offset))
    }

    fn append_via_stream(&mut self, handle: Handle) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(&handle)?;
        let stream = self.files.append_via_stream(handle)?;
        self.write_by_ourselves(stream, file, Position::End)
    }

    async fn read_directory(
        &mut self,
        directory: Handle,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        self.list(directory).await
    }

    // Refused.

    async fn link_at(
        &mut self,
        _from: Handle,
        _flags: PathFlags,
        _old: String,
        _to: Handle,
        _new: String,
    ) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    async fn symlink_at(&mut self, _directory: Handle, _old: String, _new: String) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    // Without effect: scratch space ends with the run, and waiting for a disk would hold up others.

    async fn sync_data(&mut self, _handle: Handle) -> FsResult<()> {
        Ok(())
    }

    async fn sync(&mut self, _handle: Handle) -> FsResult<()> {
        Ok(())
    }

    // Passed on.

    async fn advise(
        &mut self,
        file: Handle,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        self.files.advise(file, offset, length, advice).await
    }

    async fn get_flags(&mut self, handle: Handle) -> FsResult<DescriptorFlags> {
        self.files.get_flags(handle).await
    }

    async fn get_type(&mut self, handle: Handle) -> FsResult<DescriptorType> {
        self.files.get_type(handle).await
    }

    async fn set_times(
        &mut self,
        handle: Handle,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.files.set_times(handle, accessed, modified).await
    }

    async fn set_times_at(
        &mut self,
        directory: Handle,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.files.set_times_at(directory, flags, path, accessed, modified).await
    }

    async fn read(
        &mut self,
        file: Handle,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        self.files.read(file, length, offset).await
    }

    async fn readlink_at(&mut self, directory: Handle, path: String) -> FsResult<String> {
        self.files.readlink_at(directory, path).await
    }

    async fn stat(&mut self, handle: Handle) -> FsResult<DescriptorStat> {
        self.files.stat(handle).await
    }

    async fn stat_at(
        &mut self,
        directory: Handle,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        self.files.stat_at(directory, flags, path).await
    }

    async fn is_same_object(&mut self, one: Handle, other: Handle) -> Result<bool> {
        self.files.is_same_object(one, other).await
    }

    async fn metadata_hash(&mut self, handle: Handle) -> FsResult<MetadataHashValue> {
        self.files.metadata_hash(handle).await
    }

    async fn metadata_hash_at(
        &mut self,
        directory: Handle,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.files.metadata_hash_at(directory, flags, path).await
    }
}

impl HostDirectoryEntryStream for Guarded<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.files.read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> Result<()> {
        HostDirectoryEntryStream::drop(&mut self.files, stream)?;
        self.quota.close_listing();
        Ok(())
    }
}
