//! FunctionConfiguration (API reference, section 10): how a module, or a version of one, looks as a Lambda function.
//!
//! A module that came another way than through this API has no role, runtime or handler: then those members are absent.
//! It must never show anything of a manifest but the members that Lambda has, and no secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stepwell_asl::Timestamp;
use stepwell_sandbox::Manifest;
use stepwell_store::{ModuleContent, ModuleRecord, ModuleSettings, ModuleVersionRecord};

use super::error::LambdaError;
use super::name;
use super::settings;
use crate::api::error::ApiError;
use crate::modules::{FoundModule, Stored, version_name};
use crate::server::Server;

/// What a name stands for at some moment: `$LATEST`, or a version.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    /// `$LATEST`, or a number.
    pub(crate) version: String,
    pub(crate) content: ModuleContent,
    pub(crate) settings: ModuleSettings,
    changed_at: Timestamp,
    pub(crate) revision_id: String,
}

impl From<ModuleRecord> for Snapshot {
    fn from(record: ModuleRecord) -> Snapshot {
        Snapshot {
            name: record.name,
            version: version_name(None),
            content: record.latest,
            settings: record.settings,
            changed_at: record.updated_at,
            revision_id: record.revision_id,
        }
    }
}

impl From<ModuleVersionRecord> for Snapshot {
    fn from(record: ModuleVersionRecord) -> Snapshot {
        Snapshot {
            name: record.name,
            version: version_name(Some(record.number)),
            content: record.content,
            settings: record.settings,
            changed_at: record.created_at,
            revision_id: record.revision_id,
        }
    }
}

impl From<FoundModule> for Snapshot {
    fn from(found: FoundModule) -> Snapshot {
        found.version.map_or_else(|| found.module.into(), Into::into)
    }
}

impl From<Stored> for Snapshot {
    fn from(stored: Stored) -> Snapshot {
        stored.version.map_or_else(|| stored.module.into(), Into::into)
    }
}

impl Snapshot {
    /// What an operation that may publish answers with: the version, if there is one, under its own ARN.
    pub(crate) fn of_stored(stored: Stored, server: &Server) -> Result<Value, LambdaError> {
        let published = stored.version.is_some();
        let snapshot: Snapshot = stored.into();
        snapshot.to_json(server, Some(snapshot.version.as_str()).filter(|_| published))
    }

    /// The manifest. Errors: what is stored is no manifest.
    pub(crate) fn manifest(&self) -> Result<Manifest, LambdaError> {
        parse_manifest(&self.content)
    }

    /// The configuration; its ARN has `qualifier` behind the name, if there is one.
    pub(crate) fn to_json(&self, server: &Server, qualifier: Option<&str>) -> Result<Value, LambdaError> {
        let manifest = self.manifest()?;
        let package = settings::package(&self.settings, &self.content);
        let mut configuration = json!({
            "FunctionName": self.name,
            "FunctionArn": name::qualified_arn(&server.identity, &self.name, qualifier),
            "CodeSize": package.size_bytes,
            "Description": self.settings.description,
            "Timeout": timeout_seconds(server, &manifest),
            "MemorySize": memory_mib(server, &manifest),
            "LastModified": last_modified(self.changed_at),
            "CodeSha256": package.sha256,
            "Version": self.version,
            "RevisionId": self.revision_id,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
        });
        let optional = [
            ("Runtime", &self.settings.runtime),
            ("Role", &self.settings.role),
            ("Handler", &self.settings.handler),
        ];
        for (member, text) in optional {
            if !text.is_empty() {
                configuration[member] = json!(text);
            }
        }
        if !manifest.environment.is_empty() {
            configuration["Environment"] = json!({"Variables": manifest.environment});
        }
        for (member, value) in settings::shown(&self.name, &self.settings) {
            configuration[member] = value;
        }
        Ok(configuration)
    }
}

/// The manifest of a stored content.
pub(crate) fn parse_manifest(content: &ModuleContent) -> Result<Manifest, LambdaError> {
    Manifest::parse(content.manifest.as_bytes()).map_err(|error| ApiError::internal(&error).into())
}

/// A digest as Lambda writes it: base64 of the bytes that `hexadecimal` stands for.
pub(crate) fn base64_of_hex(hexadecimal: &str) -> String {
    let digit =
        |index: usize| hexadecimal.get(index..index + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Vec<u8> = (0..hexadecimal.len()).step_by(2).filter_map(digit).collect();
    STANDARD.encode(bytes)
}

/// Whole seconds, as Lambda counts them: what is left of one is one.
fn timeout_seconds(server: &Server, manifest: &Manifest) -> u64 {
    let default = server.calls.bounds.timeout.as_secs().max(1);
    manifest.limits.timeout_milliseconds.map_or(default, |milliseconds| milliseconds.div_ceil(1_000))
}

fn memory_mib(server: &Server, manifest: &Manifest) -> u64 {
    manifest.limits.memory_mib.unwrap_or(server.calls.bounds.memory_bytes >> 20)
}

/// `2026-01-01T00:00:00.000+0000`: the only form that Lambda has.
fn last_modified(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    format!("{}+0000", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_lambda_writes_them() {
        assert_eq!(last_modified(Timestamp(1_767_225_600_000)), "2026-01-01T00:00:00.000+0000");
        assert_eq!(last_modified(Timestamp(1_767_225_600_120)), "2026-01-01T00:00:00.120+0000");
    }

    #[test]
    fn digests_are_written_as_lambda_writes_them() {
        assert_eq!(base64_of_hex("00ff10"), "AP8Q");
        assert_eq!(base64_of_hex(""), "");
    }
}
