//! How modules, and what they may reach, look on a screen.

use serde_json::Value;

use super::super::client::Client;
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::{table, timestamp};

/// How much of a SHA-256 is shown in lists, in hexadecimal digits.
const SHORT_HASH: usize = 12;

/// `stepwell module list`.
pub(super) fn list(client: &Client, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get(&["modules"])?;
    if output.wants_json() {
        return output.json(&answer);
    }
    let modules = members(&answer["modules"]);
    if modules.is_empty() {
        output.note("no modules; upload one with `stepwell module put NAME FILE.wasm`");
        return Ok(());
    }
    let mut rows = table::titled(&["NAME", "KIND", ">SIZE", ">COMPILED IN", "SHA-256", "UPDATED (UTC)"]);
    for module in modules {
        rows.add_row(vec![
            table::member(module, "name"),
            table::member(module, "kind"),
            table::number(size(module)),
            table::number(compile_time(module)),
            table::text(&short_hash(module)),
            table::text(&timestamp::to_the_second(&module["updatedAt"])),
        ]);
    }
    output.table(rows)
}

/// One module, or one version of it; what the server warns of goes to standard error.
pub(super) fn module(output: &mut Output, module: &Value) -> Result<(), Failure> {
    for warning in members(&module["warnings"]) {
        output.note(&format!("warning: {}", warning.as_str().unwrap_or_default()));
    }
    if output.wants_json() {
        return output.json(module);
    }
    let mut fields = table::fields([
        ("name", table::member(module, "name")),
        ("arn", table::member(module, "arn")),
        ("version", table::member(module, "version")),
        ("kind", table::text(&kind(module))),
        ("size", table::text(&size(module))),
        ("compiled in", table::text(&compile_time(module))),
        ("sha256", table::member(module, "sha256")),
        ("created", table::text(&timestamp::to_the_second(&module["createdAt"]))),
        ("updated", table::text(&timestamp::to_the_second(&module["updatedAt"]))),
    ]);
    for (name, member) in [("published", "publishedVersion"), ("description", "description")] {
        if module.get(member).is_some() {
            table::add_field(&mut fields, name, table::member(module, member));
        }
    }
    let imports: Vec<String> = members(&module["imports"]).iter().map(text).collect();
    for (title, lines) in [("imports", imports), ("may reach", grants(&module["manifest"]))] {
        for (index, line) in lines.iter().enumerate() {
            table::add_field(&mut fields, if index == 0 { title } else { "" }, table::text(line));
        }
    }
    output.table(fields)
}

/// What a manifest grants and sets, one line each; one line if it is nothing.
pub(super) fn grants(manifest: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(manifest) = manifest.as_object() else { return lines };
    for (member, value) in manifest {
        match (member.as_str(), value) {
            ("environment", Value::Object(variables)) => {
                lines
                    .extend(variables.iter().map(|(name, value)| format!("variable {name}={}", text(value))));
            }
            ("secrets", Value::Object(variables)) => {
                let line = |(name, secret)| format!("variable {name}, the secret {}", text(secret));
                lines.extend(variables.iter().map(line));
            }
            ("http", Value::Array(rules)) => lines.extend(rules.iter().map(http)),
            ("scratch", Value::Object(scratch)) => {
                let member = |name: &str| scratch.get(name).map(text).unwrap_or_default();
                lines.push(format!("scratch {} of {} MiB", member("path"), member("sizeMib")));
            }
            ("directories", Value::Array(directories)) => {
                lines.extend(directories.iter().map(|directory| {
                    format!("{}, the data directory {}", text(&directory["path"]), text(&directory["name"]))
                }));
            }
            ("clock", Value::String(word)) if word == "coarse" => {}
            ("random", Value::String(word)) if word == "secure" => {}
            ("limits", Value::Object(limits)) => {
                lines.extend(limits.iter().map(|(name, value)| format!("{name} {}", text(value))));
            }
            (member, value) => lines.push(format!("{member} {}", text(value))),
        }
    }
    if lines.is_empty() {
        lines.push("nothing but its input, a clock and random numbers".to_owned());
    }
    lines
}

/// `GET, HEAD https://api.example.com:8443 (10.0.0.0/8)`.
fn http(rule: &Value) -> String {
    let methods = members(&rule["methods"]).iter().map(text).collect::<Vec<_>>().join(", ");
    let scheme = rule["scheme"].as_str().unwrap_or("https");
    let mut line = format!("{scheme}://{}", text(&rule["host"]));
    if let Some(port) = rule["port"].as_u64() {
        line = format!("{line}:{port}");
    }
    if !methods.is_empty() {
        line = format!("{methods} {line}");
    }
    let networks = members(&rule["networks"]).iter().map(text).collect::<Vec<_>>().join(", ");
    if networks.is_empty() { line } else { format!("{line} (in {networks})") }
}

/// The elements of a list; none if it is no list.
pub(super) fn members(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

/// A value without quotes.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn kind(module: &Value) -> String {
    let kind = table::member_text(module, "kind");
    if module["adapted"] == true { format!("{kind}, adapted from a core module") } else { kind }
}

pub(super) fn size(module: &Value) -> String {
    module["sizeBytes"].as_u64().map_or_else(|| "-".to_owned(), table::bytes)
}

pub(super) fn short_hash(module: &Value) -> String {
    table::member_text(module, "sha256").chars().take(SHORT_HASH).collect()
}

fn compile_time(module: &Value) -> String {
    match module.get("compileMilliseconds") {
        Some(Value::Number(milliseconds)) => format!("{milliseconds} ms"),
        Some(_) | None => "-".to_owned(),
    }
}
