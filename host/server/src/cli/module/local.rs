//! A module from a file, without a server: unpacked as an upload is, with its manifest resolved on this machine.
//!
//! Secrets pass through here: errors name them and never show a value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest as _, Sha256};
use stepwell_sandbox::{Grants, Manifest};

use super::super::exit::Failure;
use super::super::serve_args::{NamedDirectory, parse_directory};
use super::super::source;
use super::grants::GrantArgs;
use crate::modules::archive;

/// Largest module that an archive may hold, in bytes: the sandbox itself judges by its own bound.
const MODULE_BYTES: usize = 512 << 20;

/// What stands behind the names in a manifest, where no server knows them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What stands behind the names in the manifest")]
pub(super) struct NamedArgs {
    /// A file with the value of a secret, without the line end behind it; may be given several times
    #[arg(long = "secret-file", value_name = "SECRET=FILE", env = "STEPWELL_MODULE_SECRET_FILES")]
    #[arg(value_delimiter = ',', value_parser = parse_secret)]
    secret_files: Vec<SecretFile>,
    /// A data directory, as `serve` takes it; may be given several times
    #[arg(long = "data-directory", value_name = "NAME=PATH", env = "STEPWELL_DATA_DIRECTORIES")]
    #[arg(value_delimiter = ',', value_parser = parse_directory)]
    data_directories: Vec<NamedDirectory>,
}

/// Where a secret's value is.
#[derive(Clone, Debug)]
struct SecretFile {
    secret: String,
    file: PathBuf,
}

/// A module and what it may reach.
#[derive(Debug)]
pub(super) struct LocalModule {
    /// The content, unchecked.
    pub(super) wasm: Vec<u8>,
    /// The manifest that came with it or is put together from flags; none when there is neither.
    pub(super) manifest: Option<Manifest>,
}

/// Reads a module, or an archive with one (`-`: standard input), and the manifest that goes with it.
pub(super) fn read(path: &Path, grants: &GrantArgs) -> Result<LocalModule, Failure> {
    let flags = grants.manifest()?;
    let file = source::module_file(path)?;
    let in_file = |error| Failure::Usage(format!("{}: {error}", source::label(path)));
    if !file.is_archive {
        let manifest = flags.map(|flags| archive::manifest(flags.to_string().as_bytes())).transpose();
        let manifest = manifest.map_err(|error| Failure::Usage(error.to_string()))?;
        return Ok(LocalModule { wasm: file.bytes, manifest });
    }
    if flags.is_some() {
        return Err(in_file("an archive carries its manifest itself, as stepwell.json".to_owned()));
    }
    let unpacked =
        archive::read(&file.bytes, None, MODULE_BYTES).map_err(|error| in_file(error.to_string()))?;
    Ok(LocalModule { wasm: unpacked.wasm, manifest: Some(unpacked.manifest.unwrap_or_default()) })
}

/// SHA-256 as the sandbox names modules: 64 lower-case hexadecimal digits.
pub(super) fn sha256(wasm: &[u8]) -> String {
    let digits = Sha256::digest(wasm).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Resolves the names in a manifest with what the command line says stands behind them.
pub(super) fn resolve(manifest: Manifest, named: &NamedArgs) -> Result<Grants, Failure> {
    let directory = |name: &str| named.data_directories.iter().find(|known| known.name == name);
    let mut directories = Vec::new();
    for wanted in &manifest.directories {
        let known = directory(&wanted.name).ok_or_else(|| {
            Failure::Usage(format!(
                "the manifest names the data directory {0}: say where it is with --data-directory {0}=PATH",
                wanted.name
            ))
        })?;
        if !known.path.is_dir() {
            return Err(Failure::Usage(format!(
                "--data-directory {}: {} is no directory",
                known.name,
                known.path.display()
            )));
        }
        directories.push((known.path.clone(), wanted.path.clone()));
    }
    let secrets = secrets(&manifest, &named.secret_files)?;
    Ok(Grants { manifest, secrets, directories })
}

/// What was named and is not in the manifest: the module does not get it.
pub(super) fn unused(manifest: &Manifest, named: &NamedArgs) -> Vec<String> {
    let mut notes = Vec::new();
    for NamedDirectory { name, .. } in &named.data_directories {
        if !manifest.directories.iter().any(|wanted| wanted.name == *name) {
            notes.push(format!(
                "the manifest does not name the data directory {name}; grant it with --directory {name}=/{name}"
            ));
        }
    }
    for SecretFile { secret, .. } in &named.secret_files {
        if !manifest.secrets.values().any(|wanted| wanted == secret) {
            notes.push(format!(
                "the manifest does not name the secret {secret}; grant it with --secret VARIABLE={secret}"
            ));
        }
    }
    notes
}

fn secrets(manifest: &Manifest, files: &[SecretFile]) -> Result<BTreeMap<String, String>, Failure> {
    let mut secrets = BTreeMap::new();
    for (variable, secret) in &manifest.secrets {
        let known = files.iter().find(|known| known.secret == *secret).ok_or_else(|| {
            Failure::Usage(format!(
                "the manifest names the secret {secret}: say where its value is with --secret-file {secret}=FILE"
            ))
        })?;
        secrets.insert(variable.clone(), source::secret_file(&known.file)?);
    }
    Ok(secrets)
}

fn parse_secret(text: &str) -> Result<SecretFile, String> {
    match text.split_once('=') {
        Some((secret, file)) if !secret.is_empty() && !file.is_empty() => {
            Ok(SecretFile { secret: secret.to_owned(), file: file.into() })
        }
        Some(_) | None => Err("give SECRET=FILE, like stripe=key.txt".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(manifest: &str, named: &NamedArgs) -> String {
        let manifest = archive::manifest(manifest.as_bytes()).unwrap();
        let failure = resolve(manifest, named).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        failure.to_string()
    }

    #[test]
    fn names_are_resolved_and_none_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, "top secret\r\n").unwrap();
        let named = NamedArgs {
            secret_files: vec![parse_secret(&format!("stripe={}", key.display())).unwrap()],
            data_directories: vec![parse_directory(&format!("models={}", folder.path().display())).unwrap()],
        };
        let manifest = r#"{"secrets":{"KEY":"stripe"},"directories":[{"name":"models","path":"/m"}]}"#;
        let grants = resolve(archive::manifest(manifest.as_bytes()).unwrap(), &named).unwrap();
        assert_eq!(grants.secrets["KEY"], "top secret");
        assert_eq!(grants.directories, [(folder.path().to_owned(), "/m".to_owned())]);

        let nothing = NamedArgs::default();
        assert!(refusal(r#"{"secrets":{"KEY":"stripe"}}"#, &nothing).contains("--secret-file stripe=FILE"));
        let manifest = r#"{"directories":[{"name":"models","path":"/m"}]}"#;
        assert!(refusal(manifest, &nothing).contains("--data-directory models=PATH"));
        let notes = unused(&Manifest::default(), &named);
        assert!(notes[0].contains("--directory models=/models"), "{notes:?}");
        assert!(notes[1].contains("--secret VARIABLE=stripe"), "{notes:?}");
        assert!(unused(&grants.manifest, &named).is_empty());
        let missing = vec![parse_directory("models=/nowhere/at/all").unwrap()];
        let named = NamedArgs { data_directories: missing, ..nothing };
        assert!(refusal(manifest, &named).contains("is no directory"));
        assert!(
            parse_secret("stripe").is_err() && parse_secret("=f").is_err() && parse_secret("a=").is_err()
        );
    }

    #[test]
    fn a_digest_is_written_as_the_sandbox_writes_it() {
        assert_eq!(sha256(b"")[..8], *"e3b0c442");
    }
}
