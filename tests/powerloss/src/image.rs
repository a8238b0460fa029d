//! The content of a directory tree in memory: what lies there before a program starts and after a power cut.
//!
//! Plain files and directories only; anything else is an error, never skipped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// A directory tree; paths are relative to its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// The directories below the root.
    pub directories: BTreeSet<PathBuf>,
    /// The files and their content.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Image {
    /// Reads a directory.
    pub fn read(root: &Path) -> Result<Self> {
        let mut image = Self::default();
        let mut open = vec![PathBuf::new()];
        while let Some(directory) = open.pop() {
            let path = root.join(&directory);
            for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
                let entry = entry?;
                let (name, kind) = (directory.join(entry.file_name()), entry.file_type()?);
                if kind.is_dir() {
                    image.directories.insert(name.clone());
                    open.push(name);
                } else if kind.is_file() {
                    image.files.insert(name, fs::read(entry.path())?);
                } else {
                    bail!("{} is neither a file nor a directory", entry.path().display());
                }
            }
        }
        Ok(image)
    }

    /// Writes the tree into an empty or missing directory.
    pub fn write(&self, root: &Path) -> Result<()> {
        fs::create_dir_all(root)?;
        // Parents sort before their children.
        for directory in &self.directories {
            fs::create_dir(root.join(directory))?;
        }
        for (name, content) in &self.files {
            fs::write(root.join(name), content).with_context(|| format!("writing {}", name.display()))?;
        }
        Ok(())
    }

    /// Where two trees differ, for a message; none if they are equal.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.directories != other.directories {
            return Some(format!("directories {:?} and {:?}", self.directories, other.directories));
        }
        let names = |image: &Self| image.files.keys().cloned().collect::<Vec<_>>();
        if names(self) != names(other) {
            return Some(format!("files {:?} and {:?}", names(self), names(other)));
        }
        self.files.iter().zip(other.files.values()).find_map(|((name, one), another)| {
            if one == another {
                return None;
            }
            let place = one.iter().zip(another).position(|(a, b)| a != b);
            let (long, short) = (one.len(), another.len());
            Some(format!("{}: {long} and {short} bytes, first difference at {place:?}", name.display()))
        })
    }
}
