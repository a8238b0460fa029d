//! Where telemetry goes: OpenTelemetry's own environment variables (specification, "OpenTelemetry Protocol Exporter" and
//! "Environment Variables"), the specific ones before the general ones.

use std::time::Duration;

/// Where finished spans and log records are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtlpSettings {
    /// None: no traces are sent.
    pub(crate) traces: Option<Target>,
    /// None: no logs are sent.
    pub(crate) logs: Option<Target>,
    /// What describes this server.
    pub(crate) resource: Vec<(String, String)>,
}

/// One address. Its headers may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.url.split("://").last().unwrap_or_default())
    }
}

/// Reads the variables; `endpoint` is the flag, which wins over the general one. None when nothing is to be sent.
///
/// Errors: what is set and cannot be done, for people.
pub(crate) fn from_environment(
    endpoint: Option<&str>,
    get: impl Fn(&str) -> Option<String>,
) -> Result<Option<OtlpSettings>, String> {
    let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let base = endpoint.map(str::to_owned).or_else(|| get("OTEL_EXPORTER_OTLP_ENDPOINT"));
    let (traces, logs) = (target("TRACES", base.as_deref(), &get)?, target("LOGS", base.as_deref(), &get)?);
    if traces.is_none() && logs.is_none() {
        return Ok(None);
    }
    Ok(Some(OtlpSettings { traces, logs, resource: resource(&get) }))
}

fn target(
    signal: &str,
    base: Option<&str>,
    get: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Target>, String> {
    let specific = |name: &str| get(&format!("OTEL_EXPORTER_OTLP_{signal}_{name}"));
    let setting = |name: &str| specific(name).or_else(|| get(&format!("OTEL_EXPORTER_OTLP_{name}")));
    if get(&format!("OTEL_{signal}_EXPORTER")).is_some_and(|exporter| exporter == "none") {
        return Ok(None);
    }
    let path = signal.to_ascii_lowercase();
    let of_base = || base.map(|base| format!("{}/v1/{path}", base.trim_end_matches('/')));
    let Some(url) = specific("ENDPOINT").or_else(of_base) else { return Ok(None) };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(format!("the OTLP endpoint '{url}' must begin with http:// or https://"));
    }
    match setting("PROTOCOL").as_deref() {
        None | Some("http/json") => {}
        Some("http/protobuf") => {
            tracing::warn!("OTLP is sent over HTTP as JSON, which collectors take where they take protobuf");
        }
        Some(other) => {
            return Err(format!(
                "OTEL_EXPORTER_OTLP_PROTOCOL is '{other}', but OTLP is sent as http/json only; collectors have that on \
                 port 4318"
            ));
        }
    }
    let mut headers = Vec::new();
    for pair in setting("HEADERS").unwrap_or_default().split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) =
            pair.split_once('=').ok_or("OTEL_EXPORTER_OTLP_HEADERS has a header without '='")?;
        headers.push((decoded(name.trim()), decoded(value.trim())));
    }
    let timeout = match setting("TIMEOUT") {
        None => Duration::from_secs(10),
        Some(text) => {
            let milliseconds =
                text.parse().map_err(|_| format!("OTEL_EXPORTER_OTLP_TIMEOUT '{text}' is no number"))?;
            Duration::from_millis(milliseconds)
        }
    };
    Ok(Some(Target { url, headers, timeout }))
}

fn resource(get: &impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut attributes = vec![
        ("service.name".to_owned(), "stepwell".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let mut set = |name: String, value: String| {
        attributes.retain(|(known, _)| *known != name);
        attributes.push((name, value));
    };
    for pair in get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default().split(',') {
        if let Some((name, value)) = pair.split_once('=') {
            set(decoded(name.trim()), decoded(value.trim()));
        }
    }
    if let Some(name) = get("OTEL_SERVICE_NAME") {
        set("service.name".to_owned(), name);
    }
    attributes
}

/// Text with `%XX` put back to what they stand for; what is not of that form stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<OtlpSettings>, String> {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        from_environment(None, get)
    }

    #[test]
    fn nothing_is_sent_unless_asked_for() {
        assert_eq!(read(&[]), Ok(None));
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
        assert_eq!(read(&[endpoint, ("OTEL_SDK_DISABLED", "true")]), Ok(None));
        let settings = read(&[endpoint, ("OTEL_LOGS_EXPORTER", "none")]).unwrap().unwrap();
        assert_eq!(settings.traces.unwrap().url, "http://c:4318/v1/traces");
        assert_eq!(settings.logs, None);
    }

    #[test]
    fn specific_variables_win() {
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c, d=e"),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "l=1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=no,team=x"),
            ("OTEL_SERVICE_NAME", "mine"),
        ]);
        let settings = settings.unwrap().unwrap();
        let (traces, logs) = (settings.traces.unwrap(), settings.logs.unwrap());
        assert_eq!((traces.url.as_str(), logs.url.as_str()), ("http://t/x", "https://c/v1/logs"));
        assert_eq!(traces.headers, [("a".into(), "b c".into()), ("d".into(), "e".into())]);
        assert_eq!(logs.headers, [("l".into(), "1".into())]);
        assert_eq!(traces.timeout, Duration::from_millis(250));
        assert!(settings.resource.contains(&("service.name".into(), "mine".into())));
        assert!(settings.resource.contains(&("team".into(), "x".into())));
        assert!(!format!("{traces:?}").contains("b c"));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
        assert!(read(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err().contains("4318"));
        assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4318")]).unwrap_err().contains("http://"));
        assert!(read(&[endpoint, ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")]).is_err());
    }
}
