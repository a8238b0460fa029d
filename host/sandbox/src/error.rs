//! The three ways in which the sandbox says no: to an operator, to an uploader, to a workflow.
//!
//! Only [`CallError`] may reach a workflow, and its `name()` is what `ErrorEquals` matches.

use std::path::PathBuf;
use std::time::Duration;

/// A failure of the host: disk, threads, wasmtime's set-up. It says nothing about any module.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The directory of modules cannot be used.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// wasmtime or the guests' runtime cannot be set up with these settings.
    #[error("the sandbox cannot start: {0}")]
    Setup(String),
    /// The directories of a call cannot be had.
    #[error("files for the module: {0}")]
    Files(String),
    /// Background work of the sandbox ended without a result.
    #[error("background work failed: {0}")]
    Background(String),
}

/// Why an upload was refused. The text is for whoever uploaded it.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The file is larger than `SandboxConfig::max_module_bytes`.
    #[error("the module has {size_bytes} bytes, more than the {limit_bytes} that are accepted")]
    TooLarge {
        /// Size of the upload.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file does not begin like WebAssembly.
    #[error(
        "this is not WebAssembly: a module begins with the bytes 00 61 73 6d, this file with {begins_with:?}"
    )]
    NotWebAssembly {
        /// The first bytes in hexadecimal.
        begins_with: String,
    },
    /// A core module instead of a component.
    #[error(
        "this is a core module, and none of its exports is a known entry (it exports {}): \
         export _start (a program) or stepwell:task/handler@0.1.0#run, or build a component",
        list(exports)
    )]
    CoreModule {
        /// Names of its exports.
        exports: Vec<String>,
    },
    /// A component without any of the entries.
    #[error(
        "the component exports none of stepwell:task/handler@0.1, wasi:cli/run@0.2 and wasi:http/incoming-handler@0.2 \
         (it exports {})",
        list(exports)
    )]
    MissingExport {
        /// Names of its exports.
        exports: Vec<String>,
    },
    /// The module asks for something that the sandbox does not have.
    #[error("the module imports {}, which the sandbox does not provide", list(names))]
    UnknownImport {
        /// Names of the imports.
        names: Vec<String>,
    },
    /// The module asks for something that its manifest does not grant.
    #[error("the module imports {}, which its manifest does not grant: {grant}", list(names))]
    NotGranted {
        /// Names of the imports.
        names: Vec<String>,
        /// What the manifest would have to say.
        grant: &'static str,
    },
    /// A core module that cannot be made a component.
    #[error("the core module cannot be made a component: {reason}")]
    DoesNotAdapt {
        /// What stands in the way.
        reason: String,
    },
    /// Imports or exports have known names and unknown types, or lack a function.
    #[error("the component does not fit the sandbox: {reason}")]
    DoesNotLink {
        /// What wasmtime said.
        reason: String,
    },
    /// The bytes break a rule of the WebAssembly specification.
    #[error("the module is not valid WebAssembly: {reason}")]
    DoesNotValidate {
        /// What the validator said.
        reason: String,
    },
    /// Valid, but beyond what the sandbox compiles: an unsupported feature, or more memory than the limit.
    #[error("the module does not compile: {reason}")]
    DoesNotCompile {
        /// What the compiler said.
        reason: String,
    },
    /// Compiling took more time or memory than an upload may take.
    #[error("the module does not compile: {reason}")]
    CompileLimit {
        /// Which bound it met.
        reason: String,
    },
    /// The manifest does not make sense.
    #[error(transparent)]
    Manifest(#[from] crate::manifest::ManifestError),
    /// Not the module's fault.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// Why a call returned no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The module itself failed, by name.
    #[error("{error}: {cause}")]
    Task {
        /// The name that the module chose.
        error: String,
        /// The text that the module wrote.
        cause: String,
    },
    /// A command ended with a status other than 0, without naming an error.
    #[error("the module ended with exit status {status}{}", quoted("standard error ends with:", said))]
    Exit {
        /// The exit status. Programs of WASI 0.2 can only say 1.
        status: i32,
        /// The end of its standard error.
        said: String,
    },
    /// A web server answered with a status other than 2xx, without naming an error.
    #[error("the module answered with status {status}{}", quoted("its answer begins with:", said))]
    HttpStatus {
        /// The status.
        status: u16,
        /// The beginning of the body.
        said: String,
        /// The error's name: `Sandbox.HttpStatus.` and the status.
        name: String,
    },
    /// The call did not end within its time.
    #[error("the module did not finish within {} ms{}", timeout.as_millis(), place(backtrace.as_deref()))]
    Timeout {
        /// The time it was given.
        timeout: Duration,
        /// Where it was, when it was computing rather than waiting.
        backtrace: Option<String>,
    },
    /// The call used more time on a processor than it may.
    #[error("the module used more than {} ms of a processor{}", limit.as_millis(), place(backtrace.as_deref()))]
    CpuExceeded {
        /// The time it was given.
        limit: Duration,
        /// Where it was.
        backtrace: Option<String>,
    },
    /// The module asked for more memory than it may have.
    #[error(
        "the module needs more memory than its limit: {wanted_bytes} bytes wanted, {limit_bytes} allowed"
    )]
    OutOfMemory {
        /// What it would have had, had it been allowed.
        wanted_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// All calls together use the memory that the operator set aside. Another try waits for room.
    #[error("the host's memory for modules is used up: {wanted_bytes} bytes wanted")]
    HostOutOfMemory {
        /// What it would have had, had there been room.
        wanted_bytes: u64,
    },
    /// The module's tables have more entries than they may.
    #[error("the module's tables have more entries than their limit: {wanted} wanted, {limit} allowed")]
    TableExceeded {
        /// What they would have had.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// The module called itself, or others, deeper than the stack goes.
    #[error("{message}")]
    StackOverflow {
        /// What happened and where.
        message: String,
    },
    /// The module broke off: a panic, a bad memory access, an exit.
    #[error("{message}")]
    Trap {
        /// What happened, the end of its standard error, and where in the code.
        message: String,
    },
    /// The module wrote more to log, standard output and standard error than any of it is kept.
    #[error("the module wrote more than {limit_bytes} bytes of output")]
    OutputExceeded {
        /// The limit.
        limit_bytes: u64,
    },
    /// The module holds more files and directories open than it may.
    #[error("the module has more than {limit} files open")]
    TooManyOpenFiles {
        /// The limit.
        limit: u64,
    },
    /// The module holds more handles (streams, timers, requests) than it may.
    #[error("the module holds more than {limit} handles")]
    TooManyHandles {
        /// The limit.
        limit: u64,
    },
    /// The module's scratch directory is full.
    #[error("the module's scratch directory holds more than {limit_bytes} bytes")]
    ScratchFull {
        /// The limit.
        limit_bytes: u64,
    },
    /// The result is longer than it may be.
    #[error("the module's result is longer than the {limit_bytes} bytes that are accepted")]
    ResultTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The result is not JSON.
    #[error("the module's result is not JSON: {reason}")]
    InvalidResult {
        /// What the parser said.
        reason: String,
    },
    /// The result holds the value of a secret, which would end up in the execution's history.
    #[error(
        "the module's result holds the secret of its variable {variable}: secrets must not get into the history"
    )]
    SecretInResult {
        /// The environment variable that holds the secret.
        variable: String,
    },
    /// So many calls wait that this one was refused. Another try may succeed.
    #[error("too many module calls are waiting")]
    Overloaded,
    /// No module with that digest is installed.
    #[error("no module with the digest {digest} is installed")]
    UnknownModule {
        /// The digest asked for.
        digest: String,
    },
    /// A failure of the host. Another try may succeed.
    #[error("the sandbox failed: {0}")]
    Host(String),
}

impl CallError {
    /// Returns the error name that Retriers and Catchers match; `docs/modules.md` lists them.
    pub fn name(&self) -> &str {
        match self {
            Self::Task { error, .. } => error,
            Self::Exit { .. } => "Sandbox.Exit",
            Self::HttpStatus { name, .. } => name,
            Self::Timeout { .. } => "Sandbox.Timeout",
            Self::CpuExceeded { .. } => "Sandbox.CpuExceeded",
            Self::OutOfMemory { .. } => "Sandbox.OutOfMemory",
            Self::HostOutOfMemory { .. } => "Sandbox.HostOutOfMemory",
            Self::TableExceeded { .. } => "Sandbox.TableExceeded",
            Self::StackOverflow { .. } => "Sandbox.StackOverflow",
            Self::Trap { .. } => "Sandbox.Trap",
            Self::OutputExceeded { .. } => "Sandbox.OutputExceeded",
            Self::TooManyOpenFiles { .. } => "Sandbox.TooManyOpenFiles",
            Self::TooManyHandles { .. } => "Sandbox.TooManyHandles",
            Self::ScratchFull { .. } => "Sandbox.ScratchFull",
            Self::ResultTooLarge { .. } => "Sandbox.ResultTooLarge",
            Self::InvalidResult { .. } => "Sandbox.InvalidResult",
            Self::SecretInResult { .. } => "Sandbox.SecretInResult",
            Self::Overloaded => "Sandbox.Overloaded",
            Self::UnknownModule { .. } => "Sandbox.UnknownModule",
            Self::Host(_) => "Sandbox.HostFailure",
        }
    }

    /// Returns the text for people, without the name.
    pub fn cause(&self) -> String {
        if let Self::Task { cause, .. } = self { cause.clone() } else { self.to_string() }
    }

    /// Tells whether the sandbox ended the call, rather than the module itself.
    pub(crate) fn is_broken_off(&self) -> bool {
        !matches!(
            self,
            Self::Task { .. } | Self::HttpStatus { .. } | Self::Overloaded | Self::UnknownModule { .. }
        )
    }

    /// Changes every text that came from the module.
    pub(crate) fn masked(mut self, mask: impl Fn(String) -> String) -> Self {
        match &mut self {
            Self::Task { error, cause } => {
                *error = mask(std::mem::take(error));
                *cause = mask(std::mem::take(cause));
            }
            Self::Exit { said: text, .. }
            | Self::HttpStatus { said: text, .. }
            | Self::StackOverflow { message: text }
            | Self::Trap { message: text } => *text = mask(std::mem::take(text)),
            Self::Timeout { .. }
            | Self::CpuExceeded { .. }
            | Self::OutOfMemory { .. }
            | Self::HostOutOfMemory { .. }
            | Self::TableExceeded { .. }
            | Self::OutputExceeded { .. }
            | Self::TooManyOpenFiles { .. }
            | Self::TooManyHandles { .. }
            | Self::ScratchFull { .. }
            | Self::ResultTooLarge { .. }
            | Self::InvalidResult { .. }
            | Self::SecretInResult { .. }
            | Self::Overloaded
            | Self::UnknownModule { .. }
            | Self::Host(_) => {}
        }
        self
    }

    /// Tells whether the host could not run the module, which says nothing about the module.
    pub fn is_host_failure(&self) -> bool {
        matches!(self, Self::UnknownModule { .. } | Self::Host(_))
    }
}

/// Adds what the module said to a message, if it said anything.
fn quoted(introduction: &str, said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("\n{introduction}\n{said}") }
}

/// Lists names for a message.
fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Adds a backtrace to a message when there is one.
fn place(backtrace: Option<&str>) -> String {
    backtrace.map_or_else(String::new, |backtrace| format!("; it was at\n{backtrace}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_keeps_its_own_name_and_the_sandbox_prefixes_its_own() {
        let error = CallError::Task { error: "CardDeclined".into(), cause: "no money".into() };
        assert_eq!((error.name(), error.cause()), ("CardDeclined", "no money".to_owned()));
        let error = CallError::Timeout { timeout: Duration::from_millis(1_500), backtrace: None };
        assert_eq!(error.name(), "Sandbox.Timeout");
        assert_eq!(error.cause(), "the module did not finish within 1500 ms");
        assert_eq!(CallError::Host("x".into()).name(), "Sandbox.HostFailure");
    }

    #[test]
    fn refusals_name_what_was_found() {
        let error = InstallError::CoreModule { exports: vec!["add".into(), "memory".into()] };
        assert!(error.to_string().contains("it exports add, memory"), "{error}");
        let error = InstallError::MissingExport { exports: Vec::new() };
        assert!(error.to_string().contains("it exports nothing"), "{error}");
    }
}
