//! The account and the walls, by direct calls of what guests call. Longer than other files: it is one table of walls.

use super::*;
use crate::manifest::{DataDirectory, Manifest, Scratch};
use bytes::Bytes;
use std::path::Path;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, HostDirectoryEntryStream, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynOutputStream, FsError, StreamError};

const ENTRY: u64 = crate::limits::SCRATCH_ENTRY_BYTES;
const NAME: u64 = crate::limits::SCRATCH_NAME_BYTES;
const MIB: u64 = 1 << 20;
const READ: DescriptorFlags = DescriptorFlags::READ;
const WRITE: DescriptorFlags = DescriptorFlags::WRITE;
const CREATE: OpenFlags = OpenFlags::CREATE;

type Fd = Resource<Descriptor>;

/// A call with a scratch directory of one MiB and one data directory.
struct Call {
    files: CallFiles,
    wasi: WasiCtx,
    table: ResourceTable,
    scratch: u32,
    data: u32,
    data_directory: tempfile::TempDir,
    _root: ScratchRoot,
    _directory: tempfile::TempDir,
}

fn grants(data: &Path) -> Grants {
    let manifest = Manifest {
        scratch: Some(Scratch { size_mib: 1, path: "/tmp".into() }),
        directories: vec![DataDirectory { name: "models".into(), path: "/models".into() }],
        ..Manifest::default()
    };
    Grants { manifest, directories: vec![(data.to_owned(), "/models".into())], ..Grants::default() }
}

impl Call {
    fn new(max_open: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_directory = tempfile::tempdir().unwrap();
        std::fs::write(data_directory.path().join("table"), b"rows").unwrap();
        let root = ScratchRoot::open(directory.path()).unwrap();
        let files = CallFiles::prepare(&root, &grants(data_directory.path()), max_open).unwrap().unwrap();
        let mut builder = WasiCtxBuilder::new();
        files.grant(&mut builder).unwrap();
        let (mut wasi, mut table) = (builder.build(), ResourceTable::new());
        let mut view = WasiFilesystemCtxView { ctx: wasi.filesystem(), table: &mut table };
        let preopens = view.get_directories().unwrap();
        let places: Vec<_> = preopens.iter().map(|(_, path)| path.as_str()).collect();
        assert_eq!(places, ["/tmp", "/models"]);
        let (scratch, data) = (preopens[0].0.rep(), preopens[1].0.rep());
        Self { files, wasi, table, scratch, data, data_directory, _root: root, _directory: directory }
    }

    fn view(&mut self) -> FilesView<'_> {
        let wasi = WasiFilesystemCtxView { ctx: self.wasi.filesystem(), table: &mut self.table };
        FilesView { wasi, files: Some(&mut self.files) }
    }

    fn used(&self) -> u64 {
        self.files.scratch.as_ref().unwrap().ledger.used_bytes()
    }

    /// The place of the scratch directory on the host.
    fn place(&self) -> PathBuf {
        self.files.scratch.as_ref().unwrap().directory.place()
    }

    fn scratch(&self) -> Fd {
        Resource::new_borrow(self.scratch)
    }

    fn data(&self) -> Fd {
        Resource::new_borrow(self.data)
    }

    async fn open(&mut self, path: &str, how: OpenFlags, flags: DescriptorFlags) -> Result<Fd, FsError> {
        let scratch = self.scratch();
        self.view().open_at(scratch, PathFlags::SYMLINK_FOLLOW, path.into(), how, flags).await
    }

    async fn create(&mut self, path: &str) -> Fd {
        self.open(path, CREATE, WRITE | READ).await.unwrap()
    }

    async fn write(&mut self, fd: &Fd, bytes: u64, offset: u64) -> Result<u64, FsError> {
        let fd = same(fd);
        self.view().write(fd, vec![7; usize::try_from(bytes).unwrap()], offset).await
    }

    async fn set_size(&mut self, fd: &Fd, bytes: u64) -> Result<(), FsError> {
        let fd = same(fd);
        self.view().set_size(fd, bytes).await
    }

    async fn unlink(&mut self, path: &str) -> Result<(), FsError> {
        let scratch = self.scratch();
        self.view().unlink_file_at(scratch, path.into()).await
    }

    async fn mkdir(&mut self, path: &str) -> Result<(), FsError> {
        let scratch = self.scratch();
        self.view().create_directory_at(scratch, path.into()).await
    }

    async fn rmdir(&mut self, path: &str) -> Result<(), FsError> {
        let scratch = self.scratch();
        self.view().remove_directory_at(scratch, path.into()).await
    }

    async fn rename(&mut self, old: &str, new: &str) -> Result<(), FsError> {
        let (scratch, target) = (self.scratch(), self.scratch());
        self.view().rename_at(scratch, old.into(), target, new.into()).await
    }

    fn close(&mut self, fd: Fd) {
        HostDescriptor::drop(&mut self.view(), fd).unwrap();
    }

    fn stream(&mut self, fd: &Fd, offset: Option<u64>) -> Resource<DynOutputStream> {
        let fd = same(fd);
        match offset {
            Some(offset) => self.view().write_via_stream(fd, offset).unwrap(),
            None => self.view().append_via_stream(fd).unwrap(),
        }
    }

    fn get(&mut self, stream: &Resource<DynOutputStream>) -> &mut DynOutputStream {
        self.table.get_mut(stream).unwrap()
    }

    async fn close_stream(&mut self, stream: Resource<DynOutputStream>) {
        self.table.delete(stream).unwrap().cancel().await;
    }
}

fn same<T: 'static>(resource: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(resource.rep())
}

fn bytes(count: u64) -> Bytes {
    vec![1; usize::try_from(count).unwrap()].into()
}

/// What an error is to the guest.
#[track_caller]
fn code<T>(outcome: Result<T, FsError>) -> ErrorCode {
    outcome.err().expect("an error").downcast().expect("a code of WASI")
}

/// What ends the call.
#[track_caller]
fn end<T>(outcome: Result<T, FsError>) -> FilesExceeded {
    let error = outcome.err().expect("an error").downcast().expect_err("a trap");
    error.downcast().expect("one of ours")
}

#[track_caller]
fn stream_end<T>(outcome: Result<T, StreamError>) -> FilesExceeded {
    match outcome.err().expect("an error") {
        StreamError::Trap(error) => error.downcast().expect("one of ours"),
        error @ (StreamError::Closed | StreamError::LastOperationFailed(_)) => panic!("{error}"),
    }
}

const FULL: FilesExceeded = FilesExceeded::Scratch { limit_bytes: MIB };

#[test]
fn nothing_granted_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = ScratchRoot::open(directory.path()).unwrap();
    assert!(CallFiles::prepare(&root, &Grants::default(), 10).unwrap().is_none());
    assert_eq!(std::fs::read_dir(directory.path().join("scratch")).unwrap().count(), 0);
}

#[test]
fn a_missing_data_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let root = ScratchRoot::open(directory.path()).unwrap();
    for missing in [directory.path().join("secret-place"), directory.path().join("secret-file")] {
        std::fs::write(directory.path().join("secret-file"), b"").unwrap();
        let files = CallFiles::prepare(&root, &grants(&missing), 10).unwrap().unwrap();
        let error = files.grant(&mut WasiCtxBuilder::new()).unwrap_err().to_string();
        assert!(error.contains("data directory models") && !error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn writing_is_charged_to_the_byte() {
    let mut call = Call::new(10);
    let fd = call.create("a").await;
    assert_eq!(call.used(), ENTRY);
    assert_eq!(call.write(&fd, 1_000, 0).await.unwrap(), 1_000);
    assert_eq!(call.used(), ENTRY + 1_000);
    call.write(&fd, 1_000, 500).await.unwrap();
    call.write(&fd, 10, 0).await.unwrap();
    call.write(&fd, 0, 1 << 40).await.unwrap();
    assert_eq!(call.used(), ENTRY + 1_500);
    let room = MIB - call.used();
    call.write(&fd, room, 1_500).await.unwrap();
    assert_eq!(call.used(), MIB);
    call.write(&fd, 10_000, 0).await.unwrap();
    assert_eq!(end(call.write(&fd, 1, MIB - ENTRY).await), FULL);
    assert_eq!(end(call.write(&fd, 1, u64::MAX).await), FULL);
    assert_eq!(end(call.open("b", CREATE, WRITE).await), FULL);
    assert_eq!(end(call.mkdir("b").await), FULL);
    // What is there can still be opened, and what is not there is still missing.
    let again = call.open("a", CREATE, WRITE).await.unwrap();
    call.close(again);
    assert_eq!(code(call.open("b", OpenFlags::empty(), READ).await), ErrorCode::NoEntry);
    assert_eq!(call.used(), MIB);
}

#[tokio::test]
async fn sizes_count_with_their_holes() {
    let mut call = Call::new(10);
    let fd = call.create("a").await;
    call.set_size(&fd, 900_000).await.unwrap();
    assert_eq!(call.used(), ENTRY + 900_000);
    let other = call.create("b").await;
    assert_eq!(end(call.set_size(&other, 900_000).await), FULL);
    assert_eq!(end(call.set_size(&other, u64::MAX).await), FULL);
    assert_eq!(end(call.write(&other, 1, 900_000).await), FULL);
    assert_eq!(call.used(), 2 * ENTRY + 900_000);
    call.set_size(&fd, 100).await.unwrap();
    assert_eq!(call.used(), 2 * ENTRY + 100);
    call.write(&other, 1, 900_000).await.unwrap();
    assert_eq!(call.used(), 2 * ENTRY + 900_101);
    // Opening with `truncate` frees, too, whether or not the file is open.
    for close_first in [true, false] {
        call.set_size(&other, 5_000).await.unwrap();
        if close_first {
            let closed = call.open("c", CREATE, WRITE).await.unwrap();
            call.write(&closed, 7_000, 0).await.unwrap();
            call.close(closed);
        }
        let path = if close_first { "c" } else { "b" };
        let before = call.used();
        let cut = call.open(path, OpenFlags::TRUNCATE, WRITE).await.unwrap();
        assert_eq!(before - call.used(), if close_first { 7_000 } else { 5_000 });
        call.close(cut);
    }
}

#[tokio::test]
async fn names_cost_a_fixed_sum_and_leave_a_part_behind() {
    let mut call = Call::new(10);
    call.mkdir("d").await.unwrap();
    assert_eq!(code(call.mkdir("d").await), ErrorCode::Exist);
    assert_eq!(code(call.mkdir("nowhere/d").await), ErrorCode::NoEntry);
    assert_eq!(code(call.mkdir("../d").await), ErrorCode::NotPermitted);
    assert_eq!(code(call.open("d", CREATE | OpenFlags::EXCLUSIVE, WRITE).await), ErrorCode::Exist);
    assert_eq!(code(call.open("no/f", CREATE, WRITE).await), ErrorCode::NoEntry);
    assert_eq!(call.used(), ENTRY);
    for round in 0..3 {
        for name in ["d/a", "d/b", "d/c"] {
            let fd = call.create(name).await;
            call.write(&fd, 10, 0).await.unwrap();
            call.close(fd);
        }
        assert_eq!(call.used(), 4 * ENTRY + 30, "{round}");
        assert_eq!(code(call.rmdir("d").await), ErrorCode::NotEmpty);
        for name in ["d/a", "d/b", "d/c"] {
            call.unlink(name).await.unwrap();
        }
        assert_eq!(call.used(), ENTRY + 3 * NAME, "{round}");
        // A name that is not made takes no room.
        let scratch = call.scratch();
        let odd = call.view().create_directory_at(scratch, "d/\0".into()).await;
        assert_eq!(code(odd), ErrorCode::Invalid);
        assert_eq!(call.used(), ENTRY + 3 * NAME, "{round}");
    }
    call.rmdir("d").await.unwrap();
    assert_eq!(call.used(), NAME);
    call.mkdir("e").await.unwrap();
    assert_eq!(call.used(), ENTRY);
    // Empty files and directories alone fill it.
    let mut count = 1;
    let full = loop {
        let made = call.mkdir(&format!("e/{count}")).await;
        if made.is_err() {
            break end(made);
        }
        count += 1;
    };
    assert_eq!((full, count), (FULL, MIB / ENTRY));
}

#[tokio::test]
async fn an_unlinked_file_is_charged_until_it_is_closed() {
    let mut call = Call::new(10);
    let fd = call.create("a").await;
    call.write(&fd, 900_000, 0).await.unwrap();
    let stream = call.stream(&fd, Some(0));
    let reader = call.view().read_via_stream(same(&fd), 0).unwrap();
    call.unlink("a").await.unwrap();
    assert_eq!(call.used(), ENTRY + 900_000);
    call.write(&fd, 1_000, 900_000).await.unwrap();
    assert_eq!(call.used(), ENTRY + 901_000);
    call.close(fd);
    assert_eq!(call.used(), ENTRY + 901_000);
    call.close_stream(stream).await;
    assert_eq!(call.used(), ENTRY + 901_000);
    let other = call.create("a").await;
    assert_eq!(end(call.write(&other, 900_000, 0).await), FULL);
    call.table.delete(reader).unwrap();
    // Nobody has it open: the room is found in the moment it is needed.
    call.write(&other, 900_000, 0).await.unwrap();
    assert_eq!(call.used(), ENTRY + 900_000);
}

#[tokio::test]
async fn renaming_frees_what_it_replaces() {
    let mut call = Call::new(10);
    for (name, length) in [("a", 10), ("b", 700)] {
        let fd = call.create(name).await;
        call.write(&fd, length, 0).await.unwrap();
        call.close(fd);
    }
    call.rename("a", "a").await.unwrap();
    assert_eq!(call.used(), 2 * ENTRY + 710);
    assert_eq!(code(call.rename("c", "b").await), ErrorCode::NoEntry);
    assert_eq!(code(call.rename("c", "d").await), ErrorCode::NoEntry);
    assert_eq!(code(call.rename("a", "../a").await), ErrorCode::NotPermitted);
    assert_eq!(call.used(), 2 * ENTRY + 710);
    call.rename("a", "b").await.unwrap();
    assert_eq!(call.used(), ENTRY + NAME + 10);
    call.rename("b", "c").await.unwrap();
    assert_eq!(call.used(), ENTRY + NAME + 10);
    call.mkdir("d").await.unwrap();
    call.mkdir("e").await.unwrap();
    call.rename("c", "e/c").await.unwrap();
    assert_eq!(call.used(), 3 * ENTRY + NAME + 10);
    assert_eq!(code(call.rename("d", "e").await), ErrorCode::NotEmpty);
    call.unlink("e/c").await.unwrap();
    call.rename("d", "e").await.unwrap();
    // One directory is left, and room for two names in the directory of all.
    assert_eq!(call.used(), ENTRY + 2 * NAME);
    let (data, scratch) = (call.data(), call.scratch());
    let moved = call.view().rename_at(scratch, "e".into(), data, "e".into()).await;
    assert_eq!(code(moved), ErrorCode::NotPermitted);
    let (data, scratch) = (call.data(), call.scratch());
    let moved = call.view().rename_at(data, "table".into(), scratch, "t".into()).await;
    assert_eq!(code(moved), ErrorCode::NotPermitted);
    assert_eq!(call.used(), ENTRY + 2 * NAME);
}

#[tokio::test]
async fn streams_are_charged_before_they_write() {
    let mut call = Call::new(10);
    let fd = call.create("a").await;
    let stream = call.stream(&fd, Some(0));
    call.get(&stream).write(bytes(60_000)).unwrap();
    assert_eq!(call.used(), ENTRY + 60_000);
    call.get(&stream).ready().await;
    call.get(&stream).check_write().unwrap();
    call.get(&stream).blocking_write_and_flush(bytes(4_000)).await.unwrap();
    assert_eq!(call.used(), ENTRY + 64_000);
    let appender = call.stream(&fd, None);
    call.get(&appender).write(bytes(6_000)).unwrap();
    assert_eq!(call.used(), ENTRY + 70_000);
    call.get(&appender).flush().unwrap();
    call.get(&appender).write_ready().await.unwrap();
    call.get(&appender).write_zeroes(30_000).unwrap();
    assert_eq!(call.used(), ENTRY + 100_000);
    call.get(&appender).ready().await;
    call.close_stream(appender).await;
    // The same bytes again cost nothing.
    let again = call.stream(&fd, Some(0));
    call.get(&again).blocking_write_and_flush(bytes(50_000)).await.unwrap();
    assert_eq!(call.used(), ENTRY + 100_000);
    for offset in [Some(MIB - ENTRY - 3_999), None, Some(u64::MAX)] {
        let beyond = call.stream(&fd, offset);
        let length = MIB - ENTRY - 100_000 + 1;
        assert_eq!(stream_end(call.get(&beyond).write(bytes(length))), FULL);
        assert_eq!(stream_end(call.get(&beyond).blocking_write_and_flush(bytes(length)).await), FULL);
    }
    let full = call.stream(&fd, None);
    call.get(&full).blocking_write_and_flush(bytes(MIB - ENTRY - 100_000)).await.unwrap();
    assert_eq!(call.used(), MIB);
    assert_eq!(std::fs::metadata(call.place().join("a")).unwrap().len(), MIB - ENTRY);
}

#[tokio::test]
async fn many_streams_at_once_stay_below_the_bound() {
    let mut call = Call::new(64);
    let mut written = 0;
    let mut streams = Vec::new();
    let ended = loop {
        let fd = call.create(&format!("{}", streams.len() % 4)).await;
        let stream = call.stream(&fd, None);
        call.close(fd);
        match call.get(&stream).write(bytes(50_000)) {
            Ok(()) => written += 50_000,
            refused => break stream_end(refused),
        }
        streams.push(stream);
    };
    assert_eq!(ended, FULL);
    assert_eq!(written, (MIB - 4 * ENTRY) / 50_000 * 50_000);
    for stream in streams {
        call.close_stream(stream).await;
    }
    let held: u64 =
        std::fs::read_dir(call.place()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert_eq!((held, call.used()), (written, written + 4 * ENTRY));
}

#[tokio::test]
async fn cutting_a_file_frees_nothing_that_a_write_under_way_may_bring_back() {
    let mut call = Call::new(10);
    let fd = call.create("a").await;
    let stream = call.stream(&fd, Some(500_000));
    call.get(&stream).write(bytes(1_000)).unwrap();
    call.set_size(&fd, 0).await.unwrap();
    let cut = call.open("a", OpenFlags::TRUNCATE, WRITE).await.unwrap();
    assert_eq!(call.used(), ENTRY + 501_000);
    call.get(&stream).ready().await;
    // Whichever came first, what is charged is what is there now.
    let length = std::fs::metadata(call.place().join("a")).unwrap().len();
    assert_eq!(call.used(), ENTRY + length);
    call.close(cut);
    call.set_size(&fd, 0).await.unwrap();
    assert_eq!(call.used(), ENTRY);
}

#[tokio::test]
async fn a_write_that_fails_is_given_back() {
    let mut call = Call::new(10);
    let fd = call.create("a").await;
    call.write(&fd, 10, 0).await.unwrap();
    let reader = call.open("a", OpenFlags::empty(), READ).await.unwrap();
    assert_eq!(code(call.write(&reader, 500, 0).await), ErrorCode::BadDescriptor);
    assert_eq!(code(call.set_size(&reader, u64::MAX).await), ErrorCode::Invalid);
    let stream = call.stream(&reader, Some(0));
    assert!(matches!(
        call.get(&stream).blocking_write_and_flush(bytes(500)).await,
        Err(StreamError::LastOperationFailed(_))
    ));
    assert_eq!(call.used(), ENTRY + 10);
}

#[tokio::test]
async fn links_cannot_be_made() {
    let mut call = Call::new(10);
    let fd = call.create("a").await;
    call.close(fd);
    let (one, other) = (call.scratch(), call.scratch());
    let linked = call.view().link_at(one, PathFlags::empty(), "a".into(), other, "b".into()).await;
    assert_eq!(code(linked), ErrorCode::NotPermitted);
    let scratch = call.scratch();
    assert_eq!(code(call.view().symlink_at(scratch, "a".into(), "b".into()).await), ErrorCode::NotPermitted);
    assert_eq!(std::fs::read_dir(call.place()).unwrap().count(), 1);
}

#[tokio::test]
async fn paths_stay_inside() {
    let mut call = Call::new(10);
    let outside = call.data_directory.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), b"secret").unwrap();
    // Links that somebody else made: the guest cannot.
    let link =
        |target: &Path, name: &str| std::os::unix::fs::symlink(target, call.place().join(name)).unwrap();
    link(&outside, "absolute");
    link(Path::new("../../.."), "up");
    link(call.data_directory.path(), "data");
    link(Path::new("/proc/self/root"), "root");
    let secret = outside.join("secret");
    for path in [
        "..",
        "../..",
        "../scratch",
        "a/../../..",
        "/etc/passwd",
        "/",
        secret.to_str().unwrap(),
        "absolute/secret",
        "absolute",
        "up/etc/passwd",
        "up",
        "data/table",
        "root/etc/passwd",
    ] {
        for (how, flags) in [(OpenFlags::empty(), READ), (CREATE, WRITE), (OpenFlags::TRUNCATE, WRITE)] {
            assert!(call.open(path, how, flags).await.is_err(), "{path}");
        }
        let scratch = call.scratch();
        let seen = call.view().stat_at(scratch, PathFlags::SYMLINK_FOLLOW, path.into()).await;
        assert!(seen.is_err(), "{path}");
        assert!(call.mkdir(&format!("{path}/x")).await.is_err(), "{path}");
        assert!(call.rename(&format!("{path}/secret"), "stolen").await.is_err(), "{path}");
    }
    assert_eq!(call.used(), 0);
    assert_eq!(std::fs::read(secret).unwrap(), b"secret");
}

#[tokio::test]
async fn data_directories_are_for_reading() {
    let mut call = Call::new(10);
    let place = call.data_directory.path().to_owned();
    std::fs::create_dir(place.join("sub")).unwrap();
    let data = call.data();
    let open = |how, flags| (PathFlags::SYMLINK_FOLLOW, "table".to_owned(), how, flags);
    for (how, flags) in [
        (OpenFlags::empty(), WRITE),
        (OpenFlags::empty(), READ | WRITE),
        (CREATE, READ),
        (OpenFlags::TRUNCATE, READ),
        (CREATE | OpenFlags::EXCLUSIVE, WRITE),
    ] {
        let (follow, path, how, flags) = open(how, flags);
        let opened = call.view().open_at(same(&data), follow, path, how, flags).await;
        assert_eq!(code(opened), ErrorCode::NotPermitted);
    }
    let created = call.view().open_at(same(&data), PathFlags::empty(), "new".into(), CREATE, WRITE).await;
    assert_eq!(code(created), ErrorCode::NotPermitted);
    let (follow, path, how, flags) = open(OpenFlags::empty(), READ);
    let fd = call.view().open_at(same(&data), follow, path, how, flags).await.unwrap();
    assert_eq!(call.view().read(same(&fd), 100, 0).await.unwrap(), (b"rows".to_vec(), false));
    assert_eq!(code(call.write(&fd, 1, 0).await), ErrorCode::NotPermitted);
    assert_eq!(code(call.set_size(&fd, 0).await), ErrorCode::NotPermitted);
    assert_eq!(code(call.view().write_via_stream(same(&fd), 0)), ErrorCode::NotPermitted);
    assert_eq!(code(call.view().append_via_stream(same(&fd))), ErrorCode::NotPermitted);
    let mut view = call.view();
    assert_eq!(code(view.create_directory_at(same(&data), "x".into()).await), ErrorCode::NotPermitted);
    assert_eq!(code(view.unlink_file_at(same(&data), "table".into()).await), ErrorCode::NotPermitted);
    assert_eq!(code(view.remove_directory_at(same(&data), "sub".into()).await), ErrorCode::NotPermitted);
    let renamed = view.rename_at(same(&data), "table".into(), same(&data), "x".into()).await;
    assert_eq!(code(renamed), ErrorCode::NotPermitted);
    assert_eq!(std::fs::read(place.join("table")).unwrap(), b"rows");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 2);
    assert_eq!(call.used(), 0);
}

#[tokio::test]
async fn pipes_are_refused_without_waiting() {
    let mut call = Call::new(10);
    let pipe = call.data_directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let data = call.data();
    let opened = call.view().open_at(data, PathFlags::empty(), "pipe".into(), OpenFlags::empty(), READ).await;
    assert_eq!(code(opened), ErrorCode::NotPermitted);
}

#[tokio::test]
async fn open_files_end_at_their_bound() {
    let mut call = Call::new(4);
    let limit = FilesExceeded::OpenFiles { limit: 4 };
    let mut open = vec![call.create("a").await, call.create("a").await];
    let data = call.data();
    open.push(
        call.view()
            .open_at(same(&data), PathFlags::empty(), "table".into(), OpenFlags::empty(), READ)
            .await
            .unwrap(),
    );
    let scratch = call.scratch();
    let listing = call.view().read_directory(scratch).await.unwrap();
    assert_eq!(end(call.open("a", OpenFlags::empty(), READ).await), limit);
    let scratch = call.scratch();
    assert_eq!(end(call.view().read_directory(scratch).await), limit);
    HostDirectoryEntryStream::drop(&mut call.view(), listing).unwrap();
    // A stream keeps its file open when the descriptor is gone.
    let fd = open.remove(0);
    let stream = call.stream(&fd, None);
    call.close(fd);
    open.push(call.create("b").await);
    assert_eq!(end(call.open("a", OpenFlags::empty(), READ).await), limit);
    call.close_stream(stream).await;
    open.push(call.open(".", OpenFlags::DIRECTORY, READ).await.unwrap());
    assert_eq!(end(call.create_outcome("c").await), limit);
    for fd in open {
        call.close(fd);
    }
    // What fails to open takes nothing.
    for _ in 0..10 {
        assert_eq!(code(call.open("missing", OpenFlags::empty(), READ).await), ErrorCode::NoEntry);
    }
    call.create("c").await;
}

impl Call {
    async fn create_outcome(&mut self, path: &str) -> Result<Fd, FsError> {
        self.open(path, CREATE, WRITE).await
    }
}

#[tokio::test]
async fn listings_are_bounded_together() {
    let mut call = Call::new(10);
    let place = call.data_directory.path().to_owned();
    call.files.max_listed = 100;
    for number in 0..51 {
        std::fs::write(place.join(format!("{number}")), b"").unwrap();
    }
    let data = call.data();
    let first = call.view().read_directory(same(&data)).await.unwrap();
    assert_eq!(code(call.view().read_directory(same(&data)).await), ErrorCode::InsufficientMemory);
    let scratch = call.scratch();
    let empty = call.view().read_directory(scratch).await.unwrap();
    assert!(call.view().read_directory_entry(same(&empty)).await.unwrap().is_none());
    HostDirectoryEntryStream::drop(&mut call.view(), first).unwrap();
    let again = call.view().read_directory(data).await.unwrap();
    assert!(call.view().read_directory_entry(again).await.unwrap().is_some());
}
