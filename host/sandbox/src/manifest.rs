//! What a module version may do and within which bounds: the manifest that is uploaded with it.
//!
//! Deny by default: what a manifest does not name, the module cannot reach. This file only says what may be written in
//! a manifest and whether it makes sense; it must never grant anything itself.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::limits;

/// The manifest of a module version. JSON, camelCase, unknown members are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Manifest {
    /// Arguments of a command module, behind the program's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Environment variables whose values are secrets: variable -> name of the secret.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Where the module may send HTTP requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpRule>,
    /// A directory of its own, empty at the start of each call and gone after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scratch: Option<Scratch>,
    /// Directories of the host that the module may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<DataDirectory>,
    /// Which clock the module sees.
    pub clock: ClockGrant,
    /// Which random numbers the module gets.
    pub random: RandomGrant,
    /// Bounds of each call; the server's own bounds hold, too.
    pub limits: Limits,
}

/// Requests that a module may send: all members must fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRule {
    /// The scheme; `https` when absent.
    #[serde(default)]
    pub scheme: HttpScheme,
    /// A host name, `*.example.com` for all names below one, or an address. A name is compared without regard to case.
    pub host: String,
    /// The port; the scheme's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Methods in capitals; every method when absent or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Networks that are private, local or otherwise special, and that the host's name may resolve to all the same, in CIDR
    /// form such as `10.1.0.0/16`. Without this only public addresses are connected to; a rule whose `host` is an
    /// address names that address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
}

/// A scheme of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpScheme {
    /// Without encryption.
    Http,
    /// Over TLS.
    #[default]
    Https,
}

/// A private directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scratch {
    /// What all its files together may hold, in MiB.
    pub size_mib: u64,
    /// Where the module sees it.
    #[serde(default = "Scratch::default_path")]
    pub path: String,
}

impl Scratch {
    fn default_path() -> String {
        "/tmp".to_owned()
    }
}

/// A directory of the host, for reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataDirectory {
    /// The name under which the operator offers it (`serve --data-directory NAME=PATH`).
    pub name: String,
    /// Where the module sees it.
    pub path: String,
}

/// Which clock a module sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockGrant {
    /// The time, in steps of a millisecond: too coarse to time caches with.
    #[default]
    Coarse,
    /// The time as the host has it.
    Precise,
    /// The moment at which the call began; it stands still.
    Fixed,
}

/// Which random numbers a module gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RandomGrant {
    /// From the system, fit for cryptography.
    #[default]
    Secure,
    /// From the attempt's idempotency key: the same when the attempt is run again. Never for keys or tokens.
    Seeded,
}

/// Bounds of one call. Absent: the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Longest time from the start of the call to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_milliseconds: Option<u64>,
    /// Longest time on a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_milliseconds: Option<u64>,
    /// Linear memory, all memories together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Entries of all tables together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_elements: Option<u64>,
    /// Length of the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_kib: Option<u64>,
    /// Log text that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_kib: Option<u64>,
    /// Log text, standard output and standard error that a call may write at all, kept or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_kib: Option<u64>,
    /// Files and directories open at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// HTTP requests under way at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_requests: Option<u64>,
    /// Calls of this module at the same time; more of them wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_calls: Option<u32>,
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("manifest: {field}: {reason}")]
pub struct ManifestError {
    /// The member, such as `http[0].host`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Manifest {
    /// Reads a manifest from JSON text and checks it.
    ///
    /// # Errors
    /// Names the member that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(text)
            .map_err(|error| ManifestError { field: "JSON".to_owned(), reason: error.to_string() })?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Tells whether every member makes sense.
    ///
    /// # Errors
    /// Names the first member that does not.
    pub fn check(&self) -> Result<(), ManifestError> {
        self.check_sizes()?;
        for variable in self.environment.keys().chain(self.secrets.keys()) {
            check_variable(variable)?;
        }
        for (variable, secret) in &self.secrets {
            let field = || format!("secrets.{variable}");
            require(is_name(secret), field, "the name of a secret has 1 to 64 letters, digits, - or _")?;
            let once = !self.environment.contains_key(variable);
            require(once, field, "the variable is in environment, too")?;
        }
        for (index, rule) in self.http.iter().enumerate() {
            rule.check().map_err(|(member, reason)| ManifestError {
                field: format!("http[{index}].{member}"),
                reason,
            })?;
        }
        self.check_directories()?;
        self.limits.check()
    }

    fn check_sizes(&self) -> Result<(), ManifestError> {
        let bytes: usize = self.arguments.iter().map(String::len).sum::<usize>()
            + self.environment.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        require(
            bytes <= limits::MAX_ENVIRONMENT_BYTES,
            || "environment".to_owned(),
            "arguments and environment together are longer than 64 KiB",
        )?;
        let nul = self.arguments.iter().chain(self.environment.values()).any(|text| text.contains('\0'));
        require(!nul, || "environment".to_owned(), "an argument or a value holds a NUL character")?;
        for (count, field) in [
            (self.arguments.len(), "arguments"),
            (self.environment.len(), "environment"),
            (self.secrets.len(), "secrets"),
            (self.http.len(), "http"),
            (self.directories.len(), "directories"),
        ] {
            require(count <= limits::MAX_MANIFEST_ENTRIES, || field.to_owned(), "more than 200 entries")?;
        }
        Ok(())
    }

    fn check_directories(&self) -> Result<(), ManifestError> {
        let mut paths: Vec<&str> = Vec::new();
        if let Some(scratch) = &self.scratch {
            let within = (1..=limits::MAX_SCRATCH_MIB).contains(&scratch.size_mib);
            require(within, || "scratch.sizeMib".to_owned(), "must be between 1 and 1048576")?;
            check_guest_path("scratch.path", &scratch.path)?;
            paths.push(&scratch.path);
        }
        for (index, directory) in self.directories.iter().enumerate() {
            let field = |member: &str| format!("directories[{index}].{member}");
            let reason = "the name of a directory has 1 to 64 letters, digits, - or _";
            require(is_name(&directory.name), || field("name"), reason)?;
            check_guest_path(&field("path"), &directory.path)?;
            let free = !paths.contains(&directory.path.as_str());
            require(free, || field("path"), "another directory has this path")?;
            paths.push(&directory.path);
        }
        Ok(())
    }
}

impl Limits {
    fn check(&self) -> Result<(), ManifestError> {
        let members = [
            ("timeoutMilliseconds", self.timeout_milliseconds),
            ("cpuMilliseconds", self.cpu_milliseconds),
            ("memoryMib", self.memory_mib),
            ("tableElements", self.table_elements),
            ("resultKib", self.result_kib),
            ("logKib", self.log_kib),
            ("outputKib", self.output_kib),
            ("openFiles", self.open_files),
            ("httpRequests", self.http_requests),
            ("concurrentCalls", self.concurrent_calls.map(u64::from)),
        ];
        for (member, value) in members {
            let field = || format!("limits.{member}");
            require(value != Some(0), field, "must be at least 1")?;
            require(value.unwrap_or(1) <= limits::MAX_LIMIT, field, "is too large")?;
        }
        Ok(())
    }
}

impl HttpRule {
    /// Names the wrong member and says why.
    fn check(&self) -> Result<(), (&'static str, String)> {
        crate::http::check_rule(self)?;
        let methods = self.methods.iter().all(|method| {
            !method.is_empty() && method.len() <= 20 && method.bytes().all(|byte| byte.is_ascii_uppercase())
        });
        if methods {
            Ok(())
        } else {
            Err(("methods", "methods are written in capitals, like GET".to_owned()))
        }
    }
}

fn check_variable(name: &str) -> Result<(), ManifestError> {
    let right = !name.is_empty()
        && name.len() <= 256
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let reserved = name.starts_with(limits::RESERVED_VARIABLES);
    let field = || format!("environment.{name}");
    require(right, field, "a variable's name has letters, digits and _, and does not begin with a digit")?;
    require(!reserved, field, "names that begin with STEPWELL_ are the sandbox's own")
}

fn check_guest_path(field: &str, path: &str) -> Result<(), ManifestError> {
    let right = path.starts_with('/')
        && path.len() > 1
        && path.len() <= 256
        && !path.contains('\0')
        && path[1..].split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    require(right, || field.to_owned(), "must be an absolute path like /data")
}

/// Tells whether a text can name a secret or a directory.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn require(right: bool, field: impl FnOnce() -> String, reason: &str) -> Result<(), ManifestError> {
    if right { Ok(()) } else { Err(ManifestError { field: field(), reason: reason.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Manifest::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_manifest_grants_nothing() {
        assert_eq!(Manifest::parse(b"{}").unwrap(), Manifest::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = r#"{"arguments":["-v"],"environment":{"MODE":"test"},"secrets":{"KEY":"stripe"},
            "http":[{"host":"*.example.com","methods":["GET"]},{"scheme":"http","host":"10.0.0.7","port":8080}],
            "scratch":{"sizeMib":16},"directories":[{"name":"models","path":"/models"}],
            "clock":"fixed","random":"seeded","limits":{"memoryMib":64,"concurrentCalls":4}}"#;
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(manifest.scratch.as_ref().unwrap().path, "/tmp");
        let written = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::parse(&written).unwrap(), manifest);
    }

    #[test]
    fn refusals_name_the_member() {
        for (text, expected) in [
            (r#"{"htp":[]}"#, "unknown field `htp`"),
            (r#"{"environment":{"1A":"x"}}"#, "environment.1A: "),
            (r#"{"environment":{"STEPWELL_X":"x"}}"#, "environment.STEPWELL_X: "),
            (r#"{"environment":{"A":"x"},"secrets":{"A":"s"}}"#, "secrets.A: the variable is in environment"),
            (r#"{"secrets":{"A":"../x"}}"#, "secrets.A: "),
            (r#"{"http":[{"host":""}]}"#, "http[0].host: "),
            (r#"{"http":[{"host":"a.b","methods":["get"]}]}"#, "http[0].methods: "),
            (r#"{"http":[{"host":"a.b","networks":["10.0.0.0"]}]}"#, "http[0].networks: "),
            (r#"{"scratch":{"sizeMib":0}}"#, "scratch.sizeMib: "),
            (r#"{"scratch":{"sizeMib":1,"path":"/a/../b"}}"#, "scratch.path: "),
            (
                r#"{"directories":[{"name":"a","path":"/x"},{"name":"b","path":"/x"}]}"#,
                "directories[1].path: ",
            ),
            (r#"{"limits":{"memoryMib":0}}"#, "limits.memoryMib: must be at least 1"),
        ] {
            assert!(refusal(text).contains(expected), "{text}: {}", refusal(text));
        }
    }
}
