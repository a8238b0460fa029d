//! Flags that say what a module may reach, beside or instead of a manifest file.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};
use ureq::http::Uri;

use super::super::exit::Failure;
use super::super::source;

/// What a module may reach.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What the module may reach")]
pub(crate) struct GrantArgs {
    /// The manifest, JSON; the flags below add to it
    #[arg(long, value_name = "FILE.json", env = "STEPWELL_MODULE_MANIFEST")]
    manifest: Option<PathBuf>,
    /// An environment variable; may be given several times
    #[arg(long = "env", value_name = "NAME=VALUE", env = "STEPWELL_MODULE_ENV", value_parser = parse_pair)]
    environment: Vec<Pair>,
    /// An environment variable that holds a secret; may be given several times
    #[arg(long = "secret", value_name = "NAME=SECRET", env = "STEPWELL_MODULE_SECRET", value_parser = parse_pair)]
    secrets: Vec<Pair>,
    /// A server that it may send requests to, like https://*.example.com:8443; may be given several times
    #[arg(long = "allow-http", value_name = "URL", env = "STEPWELL_MODULE_ALLOW_HTTP", value_parser = parse_http)]
    http: Vec<HttpUrl>,
    /// An argument of a command; may be given several times
    #[arg(long = "arg", value_name = "TEXT", env = "STEPWELL_MODULE_ARG", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// A data directory of the server that it may read; may be given several times
    #[arg(long = "directory", value_name = "NAME=PATH", env = "STEPWELL_MODULE_DIRECTORY", value_parser = parse_pair)]
    directories: Vec<Pair>,
    /// A directory of its own, /tmp, for as many MiB
    #[arg(long, value_name = "MIB", env = "STEPWELL_MODULE_SCRATCH_MIB")]
    scratch_mib: Option<u64>,
    /// Memory that one call may use, in MiB
    #[arg(long, value_name = "MIB", env = "STEPWELL_MODULE_MEMORY_MIB")]
    memory_mib: Option<u64>,
    /// Time on a processor that one call may use, in milliseconds
    #[arg(long, value_name = "MS", env = "STEPWELL_MODULE_CPU_MILLISECONDS")]
    cpu_milliseconds: Option<u64>,
    /// Longest time that one call may take, in milliseconds
    #[arg(long, value_name = "MS", env = "STEPWELL_MODULE_TIMEOUT_MILLISECONDS")]
    timeout_milliseconds: Option<u64>,
}

/// `NAME=VALUE`.
#[derive(Clone, Debug)]
struct Pair {
    name: String,
    value: String,
}

/// Scheme, host and maybe a port.
#[derive(Clone, Debug)]
struct HttpUrl {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl GrantArgs {
    /// The manifest that the flags describe; none when there are no flags. Errors: the file, or members in it that the
    /// flags cannot add to.
    pub(crate) fn manifest(&self) -> Result<Option<Value>, Failure> {
        let mut members = match &self.manifest {
            None => Map::new(),
            Some(path) => {
                let text = source::json_file(path)?;
                let no_object = || Failure::Usage(format!("{}: not a JSON object", source::label(path)));
                serde_json::from_str(&text).map_err(|_| no_object())?
            }
        };
        for (member, pairs) in [("environment", &self.environment), ("secrets", &self.secrets)] {
            for pair in pairs {
                object(&mut members, member)?.insert(pair.name.clone(), json!(pair.value));
            }
        }
        for url in &self.http {
            let mut rule = json!({"scheme": url.scheme, "host": url.host});
            if let Some(port) = url.port {
                rule["port"] = json!(port);
            }
            list(&mut members, "http")?.push(rule);
        }
        for argument in &self.arguments {
            list(&mut members, "arguments")?.push(json!(argument));
        }
        for pair in &self.directories {
            list(&mut members, "directories")?.push(json!({"name": pair.name, "path": pair.value}));
        }
        if let Some(size_mib) = self.scratch_mib {
            object(&mut members, "scratch")?.insert("sizeMib".to_owned(), json!(size_mib));
        }
        for (member, value) in [
            ("memoryMib", self.memory_mib),
            ("cpuMilliseconds", self.cpu_milliseconds),
            ("timeoutMilliseconds", self.timeout_milliseconds),
        ] {
            if let Some(value) = value {
                object(&mut members, "limits")?.insert(member.to_owned(), json!(value));
            }
        }
        let given = self.manifest.is_some() || !members.is_empty();
        Ok(given.then_some(Value::Object(members)))
    }
}

/// The object under a member, made if it is missing.
fn object<'a>(
    members: &'a mut Map<String, Value>,
    member: &str,
) -> Result<&'a mut Map<String, Value>, Failure> {
    let value = members.entry(member).or_insert_with(|| json!({}));
    value.as_object_mut().ok_or_else(|| Failure::Usage(format!("--manifest: {member} is not an object")))
}

/// The list under a member, made if it is missing.
fn list<'a>(members: &'a mut Map<String, Value>, member: &str) -> Result<&'a mut Vec<Value>, Failure> {
    let value = members.entry(member).or_insert_with(|| json!([]));
    value.as_array_mut().ok_or_else(|| Failure::Usage(format!("--manifest: {member} is not a list")))
}

fn parse_pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Pair { name: name.to_owned(), value: value.to_owned() })
        }
        Some(_) | None => Err("give NAME=VALUE".to_owned()),
    }
}

fn parse_http(text: &str) -> Result<HttpUrl, String> {
    let shape = || "give http://HOST or https://HOST, with a :PORT if it is not the usual one".to_owned();
    let uri: Uri = text.parse().map_err(|_| shape())?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme)).ok_or_else(shape)?;
    let authority = uri.authority().ok_or_else(shape)?;
    if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
        return Err(format!("{}; paths are not told apart", shape()));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    Ok(HttpUrl { scheme: scheme.to_owned(), host: host.to_owned(), port: authority.port_u16() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_scheme_host_and_port() {
        let url = parse_http("https://api.example.com").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str(), url.port), ("https", "api.example.com", None));
        let url = parse_http("http://*.example.com:8080/").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str(), url.port), ("http", "*.example.com", Some(8080)));
        assert_eq!(parse_http("http://[::1]:80").unwrap().host, "::1");
        for wrong in
            ["api.example.com", "ftp://a", "https://a/path", "https://u@a", "https://a?x", "https://"]
        {
            assert!(parse_http(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_add_to_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.json");
        std::fs::write(&path, r#"{"clock":"fixed","environment":{"A":"1"},"http":[{"host":"a.b"}]}"#)
            .unwrap();
        let grants = GrantArgs {
            manifest: Some(path.clone()),
            environment: vec![parse_pair("B=x=y").unwrap()],
            http: vec![parse_http("https://c.d:1").unwrap()],
            memory_mib: Some(64),
            ..GrantArgs::default()
        };
        let expected = json!({"clock": "fixed", "environment": {"A": "1", "B": "x=y"},
            "http": [{"host": "a.b"}, {"scheme": "https", "host": "c.d", "port": 1}], "limits": {"memoryMib": 64}});
        assert_eq!(grants.manifest().unwrap(), Some(expected));
        assert_eq!(GrantArgs::default().manifest().unwrap(), None);
        std::fs::write(&path, r#"{"environment":[]}"#).unwrap();
        assert!(grants.manifest().unwrap_err().to_string().contains("environment is not an object"));
        std::fs::write(&path, "[]").unwrap();
        assert!(grants.manifest().unwrap_err().to_string().contains("not a JSON object"));
    }
}
