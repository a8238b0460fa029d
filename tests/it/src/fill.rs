//! A volume that can be filled to the last byte without harm to the machine: a small tmpfs, and a filler file on it.
//!
//! Mounting needs privileges. Where they are missing there is no volume, and the caller says so by name: it must never
//! fall back to filling a real disk.

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Tries to fill a volume on which others write.
const FILL_TRIES: usize = 100;

/// A mounted tmpfs; unmounted when dropped.
#[derive(Debug)]
pub struct SmallVolume {
    directory: TempDir,
}

/// A file that takes space away; deleted when dropped.
#[derive(Debug)]
pub struct Filler {
    path: PathBuf,
}

impl SmallVolume {
    /// Mounts a volume of that many MiB. The error says why it cannot be done here.
    pub fn mount(size_mib: u32) -> Result<SmallVolume, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size_mib}m"), "stepwell-it"]).arg(directory.path());
        let done = mount.output().map_err(|error| format!("mount: {error}"))?;
        if done.status.success() {
            Ok(SmallVolume { directory })
        } else {
            Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Free space, in bytes.
    ///
    /// # Panics
    /// If the volume does not answer.
    pub fn free_bytes(&self) -> u64 {
        let volume = statvfs(self.path()).expect("the state of the volume");
        volume.f_bavail * volume.f_frsize
    }

    /// Takes space until only `left_bytes` are free. Others may write at the same time, so it takes several tries.
    pub fn fill(&self, left_bytes: u64) -> Filler {
        let path = self.path().join("filler");
        let file = File::create(&path).expect("the filler");
        let filler = Filler { path };
        for _ in 0..FILL_TRIES {
            let take = self.free_bytes().saturating_sub(left_bytes);
            if take == 0 {
                break;
            }
            let length = file.metadata().expect("the filler's length").len();
            match fallocate(&file, FallocateFlags::empty(), length, take) {
                // Somebody was faster: what is left now is tried next.
                Ok(()) | Err(Errno::NOSPC) => {}
                Err(error) => panic!("taking {take} bytes: {error}"),
            }
        }
        filler
    }
}

impl Drop for SmallVolume {
    fn drop(&mut self) {
        // Lazily: what still has a file open there ends by itself.
        let done = Command::new("umount").arg("--lazy").arg(self.directory.path()).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("could not unmount {}", self.directory.path().display());
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            eprintln!("could not delete {}: {error}", self.path.display());
        }
    }
}
