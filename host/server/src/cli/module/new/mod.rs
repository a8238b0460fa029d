//! `stepwell module new`: a project for a task module, in one of the languages that have a template.
//!
//! It must never write over anything: what is not its own stays as it is.

mod language;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::exit::Failure;
use super::super::output::Output;
use language::Language;

/// Longest name, in characters: what a module may be called.
const NAME_CHARACTERS: usize = 64;
/// Names that the projects' own parts have.
const TAKEN_NAMES: [&str; 2] = ["stepwell", "stepwell-macros"];
/// What stands for the name in a template.
const PLACEHOLDER: &str = "{{name}}";

const AFTER_HELP: &str = "\
Examples:
  stepwell module new --lang rust charge-card
  stepwell module new --lang python charge-card --directory tasks/charge-card

The project has a small task with tests, build.sh, which installs what it needs into the project's
own folder and builds the module, the SDK in stepwell-sdk/, and the contract with the host in wit/.";

/// Arguments of `stepwell module new`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct NewArgs {
    /// The module's name: letters, digits, - and _, beginning with a letter
    #[arg(value_parser = parse_name)]
    name: String,
    /// The language to write the task in
    #[arg(long = "lang", value_enum, value_name = "LANGUAGE", env = "STEPWELL_MODULE_LANGUAGE")]
    language: Language,
    /// Where to write the project [default: a folder of the module's name, here]
    #[arg(long = "directory", value_name = "DIR", env = "STEPWELL_MODULE_PROJECT")]
    folder: Option<PathBuf>,
}

pub(super) fn run(output: &mut Output, args: &NewArgs) -> Result<(), Failure> {
    let folder = args.folder.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let failure = |error: io::Error| Failure::Usage(format!("{}: {}", folder.display(), plain(&error)));
    check_empty(&folder).map_err(failure)?;
    let files = language::files(args.language);
    for file in &files {
        write(&folder, file, &args.name).map_err(failure)?;
    }
    let next = next_commands(&folder, args);
    if output.wants_json() {
        let paths: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
        return output.json(&json!({
            "name": args.name, "directory": folder.display().to_string(), "files": paths, "next": next,
        }));
    }
    output.line(&format!("wrote {} files into {}; next:", files.len(), folder.display()))?;
    next.iter().try_for_each(|command| output.line(&format!("  {command}")))?;
    output.line(&format!("and, when a server runs:\n  stepwell module put {0} {0}.wasm", args.name))
}

/// One file of a project.
struct TemplateFile {
    /// Where it goes, in the project.
    path: PathBuf,
    content: &'static [u8],
    /// Whether it holds placeholders. The SDK and the contract are written as they are.
    is_template: bool,
}

/// Refuses a folder with something in it; one that is not there is made later.
fn check_empty(folder: &Path) -> io::Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(io::Error::other("the directory is not empty; name another with --directory")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn write(folder: &Path, file: &TemplateFile, name: &str) -> io::Result<()> {
    let path = folder.join(&file.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let is_script = path.extension().is_some_and(|extension| extension == "sh");
    let mode = if is_script { 0o755 } else { 0o644 };
    let mut written = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
    match std::str::from_utf8(file.content) {
        Ok(text) if file.is_template => written.write_all(text.replace(PLACEHOLDER, name).as_bytes()),
        Ok(_) | Err(_) => written.write_all(file.content),
    }
}

/// What to type next.
fn next_commands(folder: &Path, args: &NewArgs) -> [String; 3] {
    let input = language::example_input(args.language);
    [
        format!("cd {}", shell_word(&folder.display().to_string())),
        "./build.sh".to_owned(),
        format!("stepwell module run {}.wasm --input '{input}'", args.name),
    ]
}

/// Quotes a path for a shell, where that is needed.
fn shell_word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@%,:=".contains(character);
    // A path must not look like an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn parse_name(text: &str) -> Result<String, String> {
    let right = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.len() <= NAME_CHARACTERS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !right {
        return Err("a name has up to 64 letters, digits, - and _, and begins with a letter".to_owned());
    }
    if TAKEN_NAMES.contains(&text) {
        return Err("a part of the project has that name already".to_owned());
    }
    Ok(text.to_owned())
}

/// The error without the number of the operating system.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
