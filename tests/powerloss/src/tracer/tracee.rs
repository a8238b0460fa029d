//! One stopped thread of the traced program: its registers, its memory, its descriptors.
//!
//! It must only be asked while the thread is stopped; it never changes anything in it.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::FileExt,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use nix::{libc::user_regs_struct, sys::ptrace, unistd::Pid};

/// Longest path read from a program.
const PATH_BYTES: usize = 4096;
/// Most pieces of a gathering write (`IOV_MAX`).
const PIECES: u64 = 1024;

/// A system call: its number and its six arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) number: i64,
    pub(super) arguments: [u64; 6],
}

impl Call {
    /// An argument that is a descriptor or an `int`: the upper half of the register means nothing.
    pub(super) fn int(&self, index: usize) -> i32 {
        u32::try_from(self.arguments[index] & u64::from(u32::MAX)).unwrap_or_default().cast_signed()
    }
}

/// A stopped thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracee(pub(super) Pid);

impl Tracee {
    /// The call that it is about to do.
    pub(super) fn call(self) -> Result<Call> {
        Ok(call_of(&ptrace::getregs(self.0).context("reading registers")?))
    }

    /// Whether it is still there: a thread that is killed leaves its stop.
    pub(super) fn is_stopped(self) -> bool {
        ptrace::getregs(self.0).is_ok()
    }

    /// What the call that it has done returned; none for an error.
    pub(super) fn returned(self) -> Result<Option<u64>> {
        let value = result_of(&ptrace::getregs(self.0).context("reading registers")?);
        // The kernel returns errors as -4095 to -1.
        Ok((value < u64::MAX - 4094).then_some(value))
    }

    fn memory(self, address: u64, bytes: u64) -> Result<Vec<u8>> {
        let mut data = vec![0; usize::try_from(bytes)?];
        let memory = File::open(format!("/proc/{}/mem", self.0))?;
        memory.read_exact_at(&mut data, address).context("reading the memory of the traced program")?;
        Ok(data)
    }

    /// The bytes of a plain write.
    pub(super) fn bytes(self, address: u64, bytes: u64) -> Result<Bytes> {
        self.memory(address, bytes).map(Bytes::from)
    }

    /// The bytes of a gathering write, joined.
    pub(super) fn gathered(self, pieces: u64, count: u64) -> Result<Bytes> {
        if count > PIECES {
            bail!("a write of {count} pieces");
        }
        let mut data = Vec::new();
        for piece in self.memory(pieces, count * 16)?.chunks_exact(16) {
            let (address, bytes) = piece.split_at(8);
            let (address, bytes) = (address.try_into()?, bytes.try_into()?);
            data.extend(self.memory(u64::from_ne_bytes(address), u64::from_ne_bytes(bytes))?);
        }
        Ok(data.into())
    }

    /// A path argument, absolute, relative to the directory descriptor where it is relative.
    pub(super) fn path(self, directory: i32, address: u64) -> Result<PathBuf> {
        let memory = File::open(format!("/proc/{}/mem", self.0))?;
        let mut text = vec![0; PATH_BYTES];
        // Reading stops early where the mapping ends.
        let read = memory.read_at(&mut text, address)?;
        let end = text[..read].iter().position(|byte| *byte == 0).context("a path without an end")?;
        text.truncate(end);
        let path = PathBuf::from(String::from_utf8(text).context("a path that is not UTF-8")?);
        let base = if directory == libc::AT_FDCWD { "cwd".to_owned() } else { format!("fd/{directory}") };
        let base = fs::read_link(format!("/proc/{}/{base}", self.0))?;
        Ok(plain(&base.join(path)))
    }

    /// Where a descriptor leads, as the kernel says it.
    pub(super) fn descriptor(self, descriptor: i32) -> Result<(PathBuf, Metadata)> {
        let link = format!("/proc/{}/fd/{descriptor}", self.0);
        Ok((fs::read_link(&link)?, fs::metadata(&link)?))
    }

    /// Offset and flags of a descriptor.
    pub(super) fn position(self, descriptor: i32) -> Result<(u64, i32)> {
        let text = fs::read_to_string(format!("/proc/{}/fdinfo/{descriptor}", self.0))?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let position = field("pos:").context("no position")?.parse()?;
        Ok((position, i32::from_str_radix(field("flags:").context("no flags")?, 8)?))
    }
}

/// A path without `.` and `..`. The watched directory has no symbolic links.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

#[cfg(target_arch = "x86_64")]
fn call_of(registers: &user_regs_struct) -> Call {
    let r = registers;
    Call { number: r.orig_rax.cast_signed(), arguments: [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9] }
}

#[cfg(target_arch = "x86_64")]
fn result_of(registers: &user_regs_struct) -> u64 {
    registers.rax
}

#[cfg(target_arch = "aarch64")]
fn call_of(registers: &user_regs_struct) -> Call {
    let r = &registers.regs;
    Call { number: r[8].cast_signed(), arguments: [r[0], r[1], r[2], r[3], r[4], r[5]] }
}

#[cfg(target_arch = "aarch64")]
fn result_of(registers: &user_regs_struct) -> u64 {
    registers.regs[0]
}
