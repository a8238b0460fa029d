//! What CreateFunction and UpdateFunctionConfiguration may set (API reference, section 10), and where it is kept:
//! Environment, Timeout and MemorySize in the manifest, where they count; everything else beside it, to be read back.
//!
//! What would change the outcome of calls and is not done here is refused, never taken silently.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell_sandbox::Manifest;
use stepwell_store::{ModuleContent, ModuleSettings};

use super::configuration::base64_of_hex;
use super::error::LambdaError;
use super::request::Call;
use crate::limits;

const ROLE_PATTERN: &str = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
const HANDLER_PATTERN: &str = "[^\\s]+";

/// Members that are kept and read back, without any effect: as messages name them, and as the API does.
const KEPT: [(&str, &str); 7] = [
    ("architectures", "Architectures"),
    ("ephemeralStorage", "EphemeralStorage"),
    ("kMSKeyArn", "KMSKeyArn"),
    ("loggingConfig", "LoggingConfig"),
    ("snapStart", "SnapStart"),
    ("tracingConfig", "TracingConfig"),
    ("vpcConfig", "VpcConfig"),
];
/// Members that would change what calls do.
const REFUSED: [(&str, &str); 10] = [
    ("capacityProviderConfig", "CapacityProviderConfig"),
    ("codeSigningConfigArn", "CodeSigningConfigArn"),
    ("deadLetterConfig", "DeadLetterConfig"),
    ("durableConfig", "DurableConfig"),
    ("fileSystemConfigs", "FileSystemConfigs"),
    ("imageConfig", "ImageConfig"),
    ("layers", "Layers"),
    ("publishTo", "PublishTo"),
    ("acceleratorConfig", "AcceleratorConfig"),
    ("tenancyConfig", "TenancyConfig"),
];

/// The upload that a content came in, under this name among the kept members.
const PACKAGE: &str = "Package";

/// The configuration that a request asks for. Absent members stay as they are.
pub(crate) struct Wanted {
    role: Option<String>,
    runtime: Option<String>,
    handler: Option<String>,
    description: Option<String>,
    environment: Option<BTreeMap<String, String>>,
    timeout_seconds: Option<u64>,
    memory_mib: Option<u64>,
    kept: BTreeMap<String, String>,
}

impl Wanted {
    /// Reads the members; violations of constraints are noted. A new function must have a role.
    pub(crate) fn read(call: &mut Call, new: bool) -> Wanted {
        let fields = &mut call.fields;
        let role = fields.text("role", 0, limits::LAMBDA_ARN_CHARACTERS);
        if new {
            fields.require("role");
        }
        if let Some(role) = role.as_deref().filter(|role| !is_role(role)) {
            fields.pattern("role", role, ROLE_PATTERN);
        }
        let handler = fields.text("handler", 0, limits::HANDLER_CHARACTERS);
        if let Some(handler) = handler.as_deref().filter(|handler| handler.chars().any(char::is_whitespace)) {
            fields.pattern("handler", handler, HANDLER_PATTERN);
        }
        let runtime = fields.text("runtime", 0, limits::RUNTIME_CHARACTERS);
        let description = fields.text("description", 0, limits::DESCRIPTION_CHARACTERS);
        let (shortest, longest) = limits::FUNCTION_TIMEOUT_SECONDS;
        let timeout = fields.integer("timeout", shortest, longest);
        let (least, most) = limits::FUNCTION_MEMORY_MIB;
        let memory = fields.integer("memorySize", least, most);
        let kept = KEPT.iter().filter_map(|(member, name)| {
            let value = call.fields.value(member)?;
            Some(((*name).to_owned(), in_capitals(value).to_string()))
        });
        Wanted {
            kept: kept.collect(),
            environment: texts(call, "environment.variables"),
            role,
            runtime,
            handler,
            description,
            timeout_seconds: timeout.and_then(|seconds| u64::try_from(seconds).ok()),
            memory_mib: memory.and_then(|mib| u64::try_from(mib).ok()),
        }
    }

    /// Refuses what would have to change the outcome of calls, and is not done here.
    pub(crate) fn check(call: &Call) -> Result<(), LambdaError> {
        for (member, name) in REFUSED {
            if call.fields.value(member).is_some_and(says_something) {
                return Err(LambdaError::InvalidParameterValue(format!(
                    "{name} is not offered by this release of Stepwell"
                )));
            }
        }
        Ok(())
    }

    /// Sets the members that are there.
    pub(crate) fn apply(&self, settings: &mut ModuleSettings, manifest: &mut Manifest) {
        let texts = [
            (&self.role, &mut settings.role),
            (&self.runtime, &mut settings.runtime),
            (&self.handler, &mut settings.handler),
            (&self.description, &mut settings.description),
        ];
        for (wanted, setting) in texts {
            if let Some(wanted) = wanted {
                setting.clone_from(wanted);
            }
        }
        settings.others.extend(self.kept.clone());
        if let Some(environment) = &self.environment {
            manifest.environment.clone_from(environment);
        }
        if let Some(seconds) = self.timeout_seconds {
            manifest.limits.timeout_milliseconds = Some(seconds * 1_000);
        }
        if let Some(mib) = self.memory_mib {
            manifest.limits.memory_mib = Some(mib);
        }
    }
}

/// The architectures that UpdateFunctionCode may set, as they are kept. A module runs on all of them.
pub(crate) fn architectures(call: &mut Call) -> Option<(String, String)> {
    let architectures = call.fields.list("architectures")?;
    Some(("Architectures".to_owned(), Value::Array(architectures).to_string()))
}

/// A map of texts; a wrong type is noted. The names in it are the client's own.
pub(crate) fn texts(call: &mut Call, path: &str) -> Option<BTreeMap<String, String>> {
    // `Environment: {}` takes all variables away, as `Variables: {}` does.
    if let Some((parent, _)) = path.split_once('.')
        && call.fields.structure(parent)
        && call.fields.value(path).is_none()
    {
        return Some(BTreeMap::new());
    }
    if !call.fields.structure(path) {
        return None;
    }
    let members = call.fields.value(path).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut found = BTreeMap::new();
    for (name, value) in members {
        match value {
            Value::String(text) => drop(found.insert(name, text)),
            // A variable without a value is one that is not set.
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                call.fields.wrong_type(&value, "a String");
            }
        }
    }
    Some(found)
}

/// The uploaded file that a content came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Base64.
    pub(crate) sha256: String,
    pub(crate) size_bytes: u64,
}

/// Notes which file `content` came in: clients compare its digest with that of the file they have.
pub(crate) fn note_package(settings: &mut ModuleSettings, content_sha256: &str, package: &Package) {
    let noted = json!({"content": content_sha256, "sha256": package.sha256, "sizeBytes": package.size_bytes});
    settings.others.insert(PACKAGE.to_owned(), noted.to_string());
}

/// The file that a content came in; the content itself if nothing is noted, or something about another content.
pub(crate) fn package(settings: &ModuleSettings, content: &ModuleContent) -> Package {
    let noted: Option<Value> = settings.others.get(PACKAGE).and_then(|text| serde_json::from_str(text).ok());
    let noted = noted.filter(|noted| noted["content"] == content.sha256.as_str());
    let sha256 = noted.as_ref().and_then(|noted| noted["sha256"].as_str()).map(str::to_owned);
    let size = noted.as_ref().and_then(|noted| noted["sizeBytes"].as_u64());
    Package {
        sha256: sha256.unwrap_or_else(|| base64_of_hex(&content.sha256)),
        size_bytes: size.unwrap_or(content.size_bytes),
    }
}

/// The kept members as they are shown, with what Lambda shows for those that were never set.
pub(crate) fn shown(name: &str, settings: &ModuleSettings) -> Vec<(&'static str, Value)> {
    let kept = |member: &str| {
        let value = settings.others.get(member).and_then(|text| serde_json::from_str(text).ok());
        value.filter(says_something)
    };
    let group = format!("/aws/lambda/{name}");
    let mut logging = kept("LoggingConfig").unwrap_or_else(|| json!({}));
    for (member, default) in [("LogFormat", json!("Text")), ("LogGroup", json!(group))] {
        if logging[member].is_null() {
            logging[member] = default;
        }
    }
    let mut snap_start = kept("SnapStart").unwrap_or_else(|| json!({"ApplyOn": "None"}));
    snap_start["OptimizationStatus"] = json!("Off");
    let mut shown = vec![
        ("Architectures", kept("Architectures").unwrap_or_else(|| json!(["x86_64"]))),
        ("EphemeralStorage", kept("EphemeralStorage").unwrap_or_else(|| json!({"Size": 512}))),
        ("LoggingConfig", logging),
        ("SnapStart", snap_start),
        ("TracingConfig", kept("TracingConfig").unwrap_or_else(|| json!({"Mode": "PassThrough"}))),
    ];
    shown.extend(["KMSKeyArn", "VpcConfig"].into_iter().filter_map(|member| Some((member, kept(member)?))));
    shown
}

/// Whether a value has any content: clients send empty structures for what they do not use.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        // Members of members are at most a few levels deep: serde_json bounds what it reads.
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(members) => members.values().any(says_something),
    }
}

/// A structure with the names that the API has for its members.
fn in_capitals(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next().map(|first| first.to_ascii_uppercase());
                (first.into_iter().chain(letters).collect(), in_capitals(value))
            });
            Value::Object(members.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => value.clone(),
    }
}

fn is_role(role: &str) -> bool {
    let mut parts = role.splitn(6, ':');
    let partition = parts.next() == Some("arn") && parts.next().is_some_and(|part| part.starts_with("aws"));
    let service = parts.next() == Some("iam") && parts.next() == Some("");
    let account =
        parts.next().is_some_and(|part| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit()));
    let name = parts.next().and_then(|part| part.strip_prefix("role"));
    let right = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&byte))
    };
    partition && service && account && name.is_some_and(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn call(body: &Value) -> Call {
        Call::decode(Vec::new(), "", HeaderMap::new(), body.to_string().into_bytes(), true).unwrap()
    }

    #[test]
    fn what_counts_goes_into_the_manifest_and_the_rest_is_read_back() {
        let mut call = call(&json!({
            "Role": "arn:aws:iam::123456789012:role/x", "Runtime": "provided.al2023", "Handler": "main.wasm",
            "Timeout": 7, "MemorySize": 256, "Environment": {"Variables": {"mode": "Test"}},
            "TracingConfig": {"Mode": "Active"}, "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
        }));
        let wanted = Wanted::read(&mut call, true);
        call.fields.check().unwrap();
        let (mut settings, mut manifest) = (ModuleSettings::default(), Manifest::default());
        wanted.apply(&mut settings, &mut manifest);
        assert_eq!(manifest.environment["mode"], "Test");
        assert_eq!(manifest.limits.timeout_milliseconds, Some(7_000));
        assert_eq!(manifest.limits.memory_mib, Some(256));
        assert_eq!((settings.runtime.as_str(), settings.handler.as_str()), ("provided.al2023", "main.wasm"));
        let shown: BTreeMap<_, _> = shown("f", &settings).into_iter().collect();
        assert_eq!(shown["TracingConfig"], json!({"Mode": "Active"}));
        assert_eq!(shown["LoggingConfig"], json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}));
        assert!(!shown.contains_key("VpcConfig"));
    }

    #[test]
    fn an_environment_can_be_taken_away_but_is_left_alone_otherwise() {
        for (body, expected) in [
            (json!({}), None),
            (json!({"Environment": {}}), Some(BTreeMap::new())),
            (json!({"Environment": {"Variables": {}}}), Some(BTreeMap::new())),
        ] {
            assert_eq!(texts(&mut call(&body), "environment.variables"), expected, "{body}");
        }
    }

    #[test]
    fn constraints_are_lambdas() {
        let mut call = call(&json!({"Timeout": 0, "MemorySize": 64, "Handler": "a b", "Role": "root"}));
        Wanted::read(&mut call, true);
        let message = call.fields.check().unwrap_err().to_string();
        for part in
            ["4 validation errors", "'0' at 'timeout'", "'64' at 'memorySize'", "at 'handler'", "at 'role'"]
        {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn what_would_change_calls_is_refused() {
        assert!(Wanted::check(&call(&json!({"Layers": [], "DeadLetterConfig": {"TargetArn": ""}}))).is_ok());
        let error = Wanted::check(&call(&json!({"Layers": ["arn:x"]}))).unwrap_err();
        assert_eq!(error.to_string(), "Layers is not offered by this release of Stepwell");
    }

    #[test]
    fn a_package_belongs_to_its_content() {
        let mut settings = ModuleSettings::default();
        let mut content = ModuleContent { sha256: "00ff".into(), size_bytes: 3, ..ModuleContent::default() };
        assert_eq!(package(&settings, &content), Package { sha256: "AP8=".into(), size_bytes: 3 });
        let zip = Package { sha256: "zip=".into(), size_bytes: 99 };
        note_package(&mut settings, "00ff", &zip);
        assert_eq!(package(&settings, &content), zip);
        content.sha256 = "0000".into();
        assert_eq!(package(&settings, &content).size_bytes, 3);
    }
}
