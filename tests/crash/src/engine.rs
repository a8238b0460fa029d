//! The storage engines under test, and how the server is told to use each.
//!
//! What a server offers is asked of its own help, never assumed: an engine that it does not know is skipped by name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use stepwell_it::{Setup, announce, server_binary};

/// A storage engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// The embedded default, a directory.
    Sled,
    /// The one beside it, a file.
    Redb,
}

/// All engines.
pub const ENGINES: [Engine; 2] = [Engine::Sled, Engine::Redb];

impl Engine {
    /// What `--store` is given, `{data}` standing for the data directory.
    pub fn store_flag(self) -> &'static str {
        match self {
            Engine::Sled => "sled:{data}",
            Engine::Redb => "redb:{data}/store.redb",
        }
    }

    /// A set-up with this engine on a data directory.
    pub fn setup(self, data: &Path) -> Setup {
        if self == Engine::Redb {
            // The flag names a file; its folder is the user's to make.
            std::fs::create_dir_all(data).expect("the folder of the store");
        }
        Setup { data: Some(data.to_owned()), store: self.store_flag().to_owned(), ..Setup::default() }
    }

    /// Whether the server under test knows the engine.
    pub fn is_offered(self) -> bool {
        let help = Command::new(server_binary()).args(["serve", "--help"]).output().expect("the help");
        String::from_utf8_lossy(&help.stdout).contains(&format!("{self}:"))
    }

    /// [`Engine::is_offered`]; says that `test` is skipped if it is not.
    pub fn offered_or_skipped(self, test: &str) -> bool {
        let offered = self.is_offered();
        if !offered {
            announce(&format!("SKIPPED {test}: the server knows no {self} store"));
        }
        offered
    }

    /// The files of a stopped store that hold what was acknowledged, in the order of their names.
    pub fn files(self, data: &Path) -> Vec<PathBuf> {
        let mut files = match self {
            Engine::Sled => {
                [files_of(&data.join("sled")), vec![data.join("wal"), data.join("watermark")]].concat()
            }
            Engine::Redb => files_of(data),
        };
        files.retain(|path| std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0));
        files.retain(|path| !path.ends_with("lock") && !path.ends_with("secret.key"));
        files.sort();
        files
    }
}

fn files_of(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Engine::Sled => "sled",
            Engine::Redb => "redb",
        })
    }
}
