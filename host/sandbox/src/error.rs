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
         build a component, for instance for the target wasm32-wasip2",
        list(exports)
    )]
    CoreModule {
        /// Names of its exports.
        exports: Vec<String>,
    },
    /// A component that does not implement world `task`.
    #[error("the component does not export stepwell:task/handler@0.1 (it exports {})", list(exports))]
    MissingExport {
        /// Names of its exports.
        exports: Vec<String>,
    },
    /// The component asks for something that the sandbox does not have.
    #[error("the component imports {name}, which the sandbox does not provide")]
    UnknownImport {
        /// Name of the import.
        name: String,
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
    /// The call did not end within its time.
    #[error("the module did not finish within {} ms{}", timeout.as_millis(), place(backtrace.as_deref()))]
    Timeout {
        /// The time it was given.
        timeout: Duration,
        /// Where it was, when it was computing rather than waiting.
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
    /// The module broke off: a panic, a bad memory access, a full stack, an exit.
    #[error("{message}")]
    Trap {
        /// What happened, the end of its standard error, and where in the code.
        message: String,
    },
    /// The result is longer than `SandboxConfig::max_result_bytes`.
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
    /// Returns the error name that Retriers and Catchers match.
    pub fn name(&self) -> &str {
        match self {
            Self::Task { error, .. } => error,
            Self::Timeout { .. } => "Sandbox.Timeout",
            Self::OutOfMemory { .. } => "Sandbox.OutOfMemory",
            Self::Trap { .. } => "Sandbox.Trap",
            Self::ResultTooLarge { .. } => "Sandbox.ResultTooLarge",
            Self::InvalidResult { .. } => "Sandbox.InvalidResult",
            Self::UnknownModule { .. } => "Sandbox.UnknownModule",
            Self::Host(_) => "Sandbox.HostFailure",
        }
    }

    /// Returns the text for people, without the name.
    pub fn cause(&self) -> String {
        match self {
            Self::Task { cause, .. } => cause.clone(),
            Self::Timeout { .. }
            | Self::OutOfMemory { .. }
            | Self::Trap { .. }
            | Self::ResultTooLarge { .. }
            | Self::InvalidResult { .. }
            | Self::UnknownModule { .. }
            | Self::Host(_) => self.to_string(),
        }
    }
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
