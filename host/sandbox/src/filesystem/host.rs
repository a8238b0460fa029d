//! `wasi:filesystem/types` for guests: wasmtime's own, with the account of the scratch directory before it.
//!
//! Whether a directory is the scratch directory is told by its permissions: it is the only one that a guest may write.
//! wasmtime keeps paths inside their directory and refuses to write what is for reading; nothing here repeats that, and
//! nothing here may let an operation through that changes the scratch directory without telling the ledger.

use super::CallFiles;
use super::ledger::{FileState, Growth, Ledger};
use super::listing::{Sight, entry_count, look};
use super::stream::ChargedStream;
use std::fs::File;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp,
    OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

/// wasmtime's view of a call's files, and what counts them.
pub(crate) struct FilesView<'a> {
    /// wasmtime's own.
    pub(crate) wasi: WasiFilesystemCtxView<'a>,
    /// Nothing when the call has no directory at all: then no descriptor exists either.
    pub(crate) files: Option<&'a mut CallFiles>,
}

/// The type parameter that carries [`FilesView`] through the linker.
struct Files;

impl HasData for Files {
    type Data<'a> = FilesView<'a>;
}

/// Puts this implementation into a linker, over wasmtime's own.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> FilesView<'_>,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let added = types::add_to_linker::<T, Files>(linker, view);
    linker.allow_shadowing(false);
    added
}

/// A directory in the scratch directory, and the account.
struct ScratchPlace {
    directory: Arc<File>,
    ledger: Arc<Ledger>,
}

impl FilesView<'_> {
    /// Returns the account and the directory, if the descriptor is a directory that the guest may change.
    fn scratch_place(&self, fd: &Resource<Descriptor>) -> FsResult<Option<ScratchPlace>> {
        let Descriptor::Dir(directory) = self.wasi.table.get(fd)? else { return Ok(None) };
        if directory.perms.write_not_permitted() {
            return Ok(None);
        }
        Ok(self.ledger().map(|ledger| ScratchPlace { directory: Arc::clone(&directory.dir), ledger }))
    }

    /// Returns the account and the file, if the descriptor is a file that the guest may write.
    fn scratch_file(&self, fd: &Resource<Descriptor>) -> FsResult<Option<(Arc<File>, Arc<Ledger>)>> {
        let Descriptor::File(file) = self.wasi.table.get(fd)? else { return Ok(None) };
        if file.perms.write_not_permitted() || !file.open_mode.contains(OpenMode::WRITE) {
            return Ok(None);
        }
        Ok(self.ledger().map(|ledger| (Arc::clone(&file.file), ledger)))
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        let scratch = self.files.as_ref()?.scratch.as_ref()?;
        Some(Arc::clone(&scratch.ledger))
    }

    fn room_for_one(&mut self) -> FsResult<()> {
        match &mut self.files {
            Some(files) => files.room_for_one().map_err(FsError::trap),
            None => Ok(()),
        }
    }

    /// Takes note of what a guest opened, and what opening may have changed.
    fn opened(
        &mut self,
        fd: &Resource<Descriptor>,
        account: Option<(Arc<Ledger>, Option<FileState>)>,
    ) -> FsResult<()> {
        let (file, is_file) = match self.wasi.table.get(fd)? {
            Descriptor::File(file) => (&file.file, true),
            Descriptor::Dir(directory) => (&directory.dir, false),
        };
        if let Some((ledger, before)) = account.filter(|_| is_file) {
            ledger.opened(file, FileState::of(file)?, before);
        }
        if let Some(files) = &mut self.files {
            files.opened.push(Arc::downgrade(file));
        }
        Ok(())
    }

    /// Stands before a stream that writes to the scratch directory.
    fn charged(
        &mut self,
        stream: Resource<DynOutputStream>,
        scratch: Option<(Arc<File>, Arc<Ledger>)>,
        position: Option<u64>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let Some((file, ledger)) = scratch else { return Ok(stream) };
        let inner = self.wasi.table.delete(stream)?;
        let charged: DynOutputStream = Box::new(ChargedStream::new(inner, ledger, file, position));
        Ok(self.wasi.table.push(charged)?)
    }

    /// Refuses what is neither a file nor a directory: opening a pipe would hold a thread until somebody writes to it.
    async fn check_kind(&mut self, fd: Resource<Descriptor>, flags: PathFlags, path: &str) -> FsResult<()> {
        // What cannot be looked at cannot be opened, and the opening says why.
        let Ok(stat) = self.wasi.stat_at(fd, flags, path.to_owned()).await else { return Ok(()) };
        match stat.type_ {
            // A link that is not to be followed is refused by the opening itself.
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink => Ok(()),
            DescriptorType::Unknown
            | DescriptorType::BlockDevice
            | DescriptorType::CharacterDevice
            | DescriptorType::Fifo
            | DescriptorType::Socket => Err(ErrorCode::NotPermitted.into()),
        }
    }

    /// Opens something in the scratch directory.
    async fn open_in_scratch(
        &mut self,
        place: ScratchPlace,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let ScratchPlace { directory, ledger } = place;
        let creates = open_flags.contains(OpenFlags::CREATE);
        let sight = if creates || open_flags.contains(OpenFlags::TRUNCATE) {
            look(&directory, &path, path_flags.contains(PathFlags::SYMLINK_FOLLOW)).await?
        } else {
            Sight { parent: None, target: None }
        };
        let charge = if creates && sight.target.is_none() {
            Some(ledger.name_made(sight.parent).map_err(FsError::trap)?)
        } else {
            None
        };
        let opened = self.wasi.open_at(fd, path_flags, path, open_flags, flags).await;
        if let (Err(_), Some(charge)) = (&opened, charge) {
            ledger.name_not_made(charge);
        }
        let opened = opened?;
        self.opened(&opened, Some((ledger, sight.target.map(|target| target.state))))?;
        Ok(opened)
    }
}

/// Charges for a write, runs it, and settles.
async fn charged_write<T>(
    scratch: Option<(Arc<File>, Arc<Ledger>)>,
    growth: Growth,
    write: impl Future<Output = FsResult<T>>,
) -> FsResult<T> {
    let Some((file, ledger)) = scratch else { return write.await };
    ledger.write_begins(&file, growth)?.map_err(FsError::trap)?;
    let written = write.await;
    ledger.write_ended(&file);
    written
}

impl Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.wasi.convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.wasi.filesystem_error_code(error)
    }
}

impl HostDescriptor for FilesView<'_> {
    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        self.wasi.read_via_stream(fd, offset)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        let scratch = self.scratch_file(&fd)?;
        let stream = self.wasi.write_via_stream(fd, offset)?;
        self.charged(stream, scratch, Some(offset))
    }

    fn append_via_stream(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        let scratch = self.scratch_file(&fd)?;
        let stream = self.wasi.append_via_stream(fd)?;
        self.charged(stream, scratch, None)
    }

    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        self.wasi.advise(fd, offset, length, advice).await
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.wasi.sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.wasi.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        self.wasi.get_type(fd).await
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        let scratch = self.scratch_file(&fd)?;
        charged_write(scratch, Growth::To(size), self.wasi.set_size(fd, size)).await
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.wasi.set_times(fd, accessed, modified).await
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        self.wasi.read(fd, length, offset).await
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        buffer: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        let scratch = self.scratch_file(&fd)?;
        let growth = match buffer.len() as u64 {
            0 => Growth::By(0),
            length => Growth::To(offset.saturating_add(length)),
        };
        charged_write(scratch, growth, self.wasi.write(fd, buffer, offset)).await
    }

    async fn read_directory(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DirectoryEntryStream>> {
        self.room_for_one()?;
        let directory = match self.wasi.table.get(&fd)? {
            Descriptor::Dir(directory) => Some(Arc::clone(&directory.dir)),
            Descriptor::File(_) => None,
        };
        let (Some(directory), Some(files)) = (directory, &mut self.files) else {
            return self.wasi.read_directory(fd).await;
        };
        // wasmtime reads the whole directory into the host's memory.
        let listed: u64 = files.listings.values().sum();
        let bound = files.max_listed.saturating_sub(listed);
        let entries = entry_count(&directory, bound).await?;
        if entries > bound {
            return Err(ErrorCode::InsufficientMemory.into());
        }
        let listing = self.wasi.read_directory(fd).await?;
        files.listings.insert(listing.rep(), entries);
        Ok(listing)
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.wasi.sync(fd).await
    }

    async fn create_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let Some(place) = self.scratch_place(&fd)? else {
            return self.wasi.create_directory_at(fd, path).await;
        };
        let sight = look(&place.directory, &path, false).await?;
        if sight.target.is_some() {
            return self.wasi.create_directory_at(fd, path).await;
        }
        let charge = place.ledger.name_made(sight.parent).map_err(FsError::trap)?;
        let made = self.wasi.create_directory_at(fd, path).await;
        if made.is_err() {
            place.ledger.name_not_made(charge);
        }
        made
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        self.wasi.stat(fd).await
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        self.wasi.stat_at(fd, path_flags, path).await
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.wasi.set_times_at(fd, path_flags, path, accessed, modified).await
    }

    async fn link_at(
        &mut self,
        _: Resource<Descriptor>,
        _: PathFlags,
        _: String,
        _: Resource<Descriptor>,
        _: String,
    ) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        self.room_for_one()?;
        if let Some(place) = self.scratch_place(&fd)? {
            return self.open_in_scratch(place, fd, path_flags, path, open_flags, flags).await;
        }
        self.check_kind(Resource::new_borrow(fd.rep()), path_flags, &path).await?;
        let opened = self.wasi.open_at(fd, path_flags, path, open_flags, flags).await?;
        self.opened(&opened, None)?;
        Ok(opened)
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.wasi.readlink_at(fd, path).await
    }

    async fn remove_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let Some(place) = self.scratch_place(&fd)? else {
            return self.wasi.remove_directory_at(fd, path).await;
        };
        let sight = look(&place.directory, &path, false).await?;
        self.wasi.remove_directory_at(fd, path).await?;
        release(&place.ledger, &sight);
        Ok(())
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let (Some(old_place), Some(new_place)) = (self.scratch_place(&fd)?, self.scratch_place(&new_fd)?)
        else {
            return self.wasi.rename_at(fd, old_path, new_fd, new_path).await;
        };
        let old = look(&old_place.directory, &old_path, false).await?;
        let new = look(&new_place.directory, &new_path, false).await?;
        let ledger = old_place.ledger;
        let Some(replaced) = new.target else {
            let charge = ledger.name_made(new.parent).map_err(FsError::trap)?;
            let renamed = self.wasi.rename_at(fd, old_path, new_fd, new_path).await;
            match renamed {
                Ok(()) => ledger.name_moved(old.parent),
                Err(_) => ledger.name_not_made(charge),
            }
            return renamed;
        };
        self.wasi.rename_at(fd, old_path, new_fd, new_path).await?;
        // Without hard links, the same file means the same name: nothing happened.
        if old.target.is_some_and(|target| target.state.id != replaced.state.id) {
            // What was replaced is gone; its name is the other's now, and the other's name is gone.
            release(&ledger, &Sight { parent: old.parent, target: Some(replaced) });
        }
        Ok(())
    }

    async fn symlink_at(&mut self, _: Resource<Descriptor>, _: String, _: String) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let Some(place) = self.scratch_place(&fd)? else {
            return self.wasi.unlink_file_at(fd, path).await;
        };
        let sight = look(&place.directory, &path, false).await?;
        self.wasi.unlink_file_at(fd, path).await?;
        release(&place.ledger, &sight);
        Ok(())
    }

    async fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        self.wasi.is_same_object(one, other).await
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        self.wasi.metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.wasi.metadata_hash_at(fd, path_flags, path).await
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.wasi, fd)
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        listing: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.wasi.read_directory_entry(listing).await
    }

    fn drop(&mut self, listing: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        if let Some(files) = &mut self.files {
            files.listings.remove(&listing.rep());
        }
        HostDirectoryEntryStream::drop(&mut self.wasi, listing)
    }
}

/// Takes note of a name that is gone, and of what it stood for.
fn release(ledger: &Ledger, sight: &Sight) {
    match sight.target {
        None => {}
        Some(target) if target.is_directory => ledger.directory_removed(sight.parent, target.state.id),
        Some(target) => ledger.file_unlinked(sight.parent, target.state),
    }
}
