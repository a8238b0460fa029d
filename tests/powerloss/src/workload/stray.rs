//! Programs that try to get past the tracer, for the tests of the tracer itself.

use std::{fs::File, os::unix::fs::symlink, path::Path};

use anyhow::Result;

/// What to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Stray {
    /// A write whose system call does not come from libc.
    PastLibc,
    /// A change of a kind that the rig does not model.
    Unmodelled,
}

/// Tries it in a directory.
pub fn try_in(stray: Stray, directory: &Path) -> Result<()> {
    crate::tracer::submit()?;
    match stray {
        Stray::PastLibc => {
            let file = File::create(directory.join("file"))?;
            // rustix calls the kernel itself.
            rustix::io::pwrite(&file, b"past libc", 3)?;
            rustix::fs::fdatasync(&file)?;
        }
        Stray::Unmodelled => symlink("elsewhere", directory.join("link"))?,
    }
    Ok(())
}
