//! What `stepwell serve` accepts. Running the server is `main`'s work; nothing here opens a socket or a file.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use stepwell_executor::Skipping;
use stepwell_executor::limits::{EXPRESS_BYTES, EXPRESS_EXECUTION_BYTES, EXPRESS_EXECUTIONS};
use stepwell_store::StoreLocation;
use stepwell_store::limits::CACHE_BYTES;

use super::arn::Identity;
use super::retention::Retention;
use crate::auth::RateLimit;
use crate::profile::Profile;

const AFTER_HELP: &str = "\
Examples:
  stepwell serve
  stepwell serve --listen 0.0.0.0:8083 --store sled:/var/lib/stepwell --tls-cert cert.pem --tls-key key.pem
  stepwell serve --store memory: --log-filter debug
  stepwell serve --store memory: --virtual-clock
  STEPWELL_REGION=eu-west-1 STEPWELL_LOG_FORMAT=json stepwell serve";

/// Flags of `stepwell serve`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", env = "STEPWELL_LISTEN")]
    #[arg(default_value = "127.0.0.1:8083", value_parser = parse_listen)]
    pub(crate) listen: String,
    /// Where executions are kept: `sled:DIR` or `redb:FILE` on disk, `memory:` for trials (gone when the server stops)
    #[arg(long, value_name = "STORE", env = "STEPWELL_STORE")]
    #[arg(default_value = "sled:./stepwell-data")]
    pub(crate) store: StoreLocation,
    /// Longest time that one module call may take, in seconds
    #[arg(long, value_name = "SECONDS", env = "STEPWELL_CALL_TIMEOUT_SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) call_timeout_seconds: u64,
    /// Memory that one module call may use, in MiB
    #[arg(long, value_name = "MIB", env = "STEPWELL_MEMORY_LIMIT_MIB", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=4_096))]
    pub(crate) memory_limit_mib: u64,
    /// Memory that all module calls together may use, in MiB; calls beyond it wait [default: three quarters of the machine's]
    #[arg(long, value_name = "MIB", env = "STEPWELL_TOTAL_MEMORY_MIB")]
    #[arg(value_parser = clap::value_parser!(u64).range(16..=16_777_216))]
    pub(crate) total_memory_mib: Option<u64>,
    /// Processor time that one module call may use, in seconds [default: as long as the call may take]
    #[arg(long, value_name = "SECONDS", env = "STEPWELL_CALL_CPU_SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) call_cpu_seconds: Option<u64>,
    /// Module calls at the same time; more wait their turn
    #[arg(long, value_name = "N", env = "STEPWELL_MAX_CONCURRENT_CALLS", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) max_concurrent_calls: u32,
    /// Module calls that may wait; more are refused with Lambda.TooManyRequestsException
    #[arg(long, value_name = "N", env = "STEPWELL_MAX_WAITING_CALLS", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) max_waiting_calls: u32,
    /// Quotas: `strict` is what Step Functions has, numbers of machines, activities and open executions included; `relaxed`
    /// allows larger payloads and longer histories and counts nothing, and answers say where Step Functions would have
    /// refused a size (header x-stepwell-beyond-quotas)
    #[arg(long, value_enum, value_name = "PROFILE", env = "STEPWELL_PROFILE", default_value = "relaxed")]
    pub(crate) profile: Profile,
    /// Largest input, output or task result, in KiB [default: 4096; strict: 256]
    #[arg(long, value_name = "KIB", env = "STEPWELL_PAYLOAD_LIMIT_KIB")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=4_096))]
    pub(crate) payload_limit_kib: Option<u64>,
    /// Most history events of one execution [default: 250000; strict: 25000]
    #[arg(long, value_name = "N", env = "STEPWELL_HISTORY_LIMIT")]
    #[arg(value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub(crate) history_limit: Option<u64>,
    /// Iterations of one inline Map state at the same time [default: 40, as Step Functions]
    #[arg(long, value_name = "N", env = "STEPWELL_MAP_CONCURRENCY")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) map_concurrency: Option<u64>,
    /// Refuse calls that come too often for Step Functions (ThrottlingException), by its own token buckets for each
    /// operation, to see how clients take it
    #[arg(long, env = "STEPWELL_AWS_REQUEST_RATES", value_parser = FalseyValueParser::new())]
    pub(crate) aws_request_rates: bool,
    /// Mocks in place of what tasks call, as Step Functions Local has them (MockConfigFile.json): executions started with
    /// STATE_MACHINE_ARN#TEST_CASE get them. Machines may then name integrations that this server does not have
    #[arg(long, value_name = "FILE", env = "STEPWELL_MOCK_CONFIG")]
    pub(crate) mock_config: Option<PathBuf>,
    /// How long executions are kept after their end: days, or a time like `12h`, `30m`, `45s`; `none`: for ever
    #[arg(long, value_name = "DAYS", env = "STEPWELL_RETENTION", default_value = "90")]
    pub(crate) retention: Retention,
    /// How log lines look: for people, or one JSON object a line
    #[arg(long, value_enum, value_name = "FORMAT", env = "STEPWELL_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or levels by target, like `info,stepwell_executor=debug`
    #[arg(long, value_name = "FILTER", env = "STEPWELL_LOG", default_value = "info")]
    pub(crate) log_filter: String,
    /// Disk space to leave free, in MiB: below it nothing new is started
    #[arg(long, value_name = "MIB", env = "STEPWELL_MIN_FREE_MIB", default_value_t = 64)]
    pub(crate) min_free_mib: u64,
    /// Memory for the pages of the store that are used most, in MiB; more for stores that the system's cache of files
    /// cannot hold
    #[arg(long, value_name = "MIB", env = "STEPWELL_STORE_CACHE_MIB", default_value_t = CACHE_BYTES >> 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub(crate) store_cache_mib: u64,
    /// A directory that modules may read when their manifest names it; may be given several times
    #[arg(long = "data-directory", value_name = "NAME=PATH", env = "STEPWELL_DATA_DIRECTORIES")]
    #[arg(value_delimiter = ',', value_parser = parse_directory)]
    pub(crate) data_directories: Vec<NamedDirectory>,
    /// A network beside the public internet that HTTP tasks and the server's other requests may reach, such as
    /// 10.1.0.0/16 or 127.0.0.0/8; may be given several times
    #[arg(
        long = "allow-network",
        value_name = "CIDR",
        env = "STEPWELL_ALLOW_NETWORKS",
        value_delimiter = ','
    )]
    pub(crate) allowed_networks: Vec<IpNet>,
    /// Tell what an HTTP task's failed request was answered with, in the cause of its error
    #[arg(long, env = "STEPWELL_HTTP_ERROR_BODIES")]
    pub(crate) http_error_bodies: bool,
    /// File with the key that seals secrets, 64 hexadecimal digits; without it, `secret.key` beside the data
    #[arg(long, value_name = "FILE", env = "STEPWELL_SECRET_KEY_FILE")]
    pub(crate) secret_key_file: Option<PathBuf>,
    /// Requests that may wait for one shard; more are refused with ThrottlingException, which clients try again
    #[arg(long, value_name = "N", env = "STEPWELL_MAX_WAITING_REQUESTS", default_value_t = 4_096)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_waiting_requests: u32,
    /// Express executions at the same time; more starts are refused
    #[arg(long, value_name = "N", env = "STEPWELL_MAX_EXPRESS_EXECUTIONS")]
    #[arg(default_value_t = EXPRESS_EXECUTIONS as u64)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) max_express_executions: u64,
    /// Data that running Express executions hold, in MiB of JSON text, beyond which new starts are refused; in memory it
    /// takes a few times as much
    #[arg(long, value_name = "MIB", env = "STEPWELL_EXPRESS_DATA_MIB")]
    #[arg(default_value_t = (EXPRESS_BYTES as u64) >> 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub(crate) express_data_mib: u64,
    /// The same of one Express execution: one that grows beyond it fails with Stepwell.ExpressMemoryExceeded
    #[arg(long, value_name = "MIB", env = "STEPWELL_EXPRESS_EXECUTION_DATA_MIB")]
    #[arg(default_value_t = (EXPRESS_EXECUTION_BYTES as u64) >> 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub(crate) express_execution_data_mib: u64,
    /// Virtual time, to test workflows: `auto` skips every wait in which nothing runs, `manual` only what
    /// `stepwell clock advance` says [without a value: auto]
    #[arg(long, value_enum, value_name = "MODE", env = "STEPWELL_VIRTUAL_CLOCK")]
    #[arg(num_args = 0..=1, default_missing_value = "auto")]
    pub(crate) virtual_clock: Option<VirtualClockMode>,
    /// Who is asked for a signature: `auto` is everybody once there is an access key (`stepwell key create`), `off` nobody
    #[arg(long, value_enum, value_name = "MODE", env = "STEPWELL_AUTH", default_value = "auto")]
    pub(crate) auth: AuthMode,
    /// Listen on addresses that others can reach although nobody is asked for a signature
    #[arg(long, env = "STEPWELL_ALLOW_UNAUTHENTICATED", value_parser = FalseyValueParser::new())]
    pub(crate) allow_unauthenticated: bool,
    /// Requests that each access key may make: `N` a second, or `N/m` a minute, `:BURST` at once; more are refused
    /// with ThrottlingException [default: as many as it likes]
    #[arg(long, value_name = "N[/s|/m][:BURST]", env = "STEPWELL_RATE_LIMIT")]
    pub(crate) rate_limit: Option<RateLimit>,
    /// Speak TLS, with the certificate chain in this PEM file
    #[arg(long, value_name = "FILE", env = "STEPWELL_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", env = "STEPWELL_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Connections at the same time; more wait
    #[arg(long, value_name = "N", env = "STEPWELL_MAX_CONNECTIONS", default_value_t = 20_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections: u32,
    /// Where the logs of executions go that state machines ask for: `files` of their log groups, `stdout` as JSON
    /// lines, `both`, or `none` of them
    #[arg(long, value_enum, value_name = "WHERE", env = "STEPWELL_EXECUTION_LOGS", default_value = "files")]
    pub(crate) execution_logs: ExecutionLogs,
    /// Directory of the log groups' files [default: `logs` beside the data]
    #[arg(long, value_name = "DIR", env = "STEPWELL_LOG_DIR")]
    pub(crate) log_dir: Option<PathBuf>,
    /// Most that one log group may take on disk, in MiB; its oldest lines go
    #[arg(long, value_name = "MIB", env = "STEPWELL_LOG_GROUP_MIB", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub(crate) log_group_mib: u64,
    /// Collector of OpenTelemetry that traces and logs of executions are sent to, like http://127.0.0.1:4318
    /// [default: none; OTEL_EXPORTER_OTLP_ENDPOINT and its relatives are heeded]
    #[arg(long, value_name = "URL", env = "STEPWELL_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
    /// Address of its own for GET /metrics, which needs no signature there
    #[arg(long, value_name = "ADDR", env = "STEPWELL_METRICS_LISTEN", value_parser = parse_listen)]
    pub(crate) metrics_listen: Option<String>,
    /// Stop when standard input is closed, for programs that run a server as their child: it never outlives them
    #[arg(long, env = "STEPWELL_STOP_WITH_STDIN", value_parser = FalseyValueParser::new())]
    pub(crate) stop_with_stdin: bool,
    // Last, because its help heading would cover the flags after it.
    /// Account and region of the ARNs that this server gives out.
    #[command(flatten)]
    pub(crate) identity: Identity,
}

/// A directory of this host and the name that manifests have for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedDirectory {
    /// The name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// Who skips virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VirtualClockMode {
    // Plain comments: documented values would stretch the help page.
    // The executor.
    Auto,
    // Only whoever asks.
    Manual,
}

impl VirtualClockMode {
    /// The same for the executor.
    pub(crate) fn skipping(self) -> Skipping {
        match self {
            VirtualClockMode::Auto => Skipping::Auto,
            VirtualClockMode::Manual => Skipping::Manual,
        }
    }
}

/// Who is asked for a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthMode {
    // Plain comments: documented values would stretch the help page.
    // Everybody, once there is an access key.
    Auto,
    // Nobody.
    Off,
}

/// Where the logs of executions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExecutionLogs {
    // Plain comments: documented values would stretch the help page.
    // To the files of their log groups.
    Files,
    // To the standard output, whether their groups exist or not.
    Stdout,
    // To both.
    Both,
    // To neither; a collector gets them all the same.
    None,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    // Plain comments: documented values would stretch the help page.
    // For people.
    Text,
    // One JSON object a line.
    Json,
}

/// Checks `HOST:PORT` without resolving it: the host may be a name that only exists when the server starts.
fn parse_listen(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        Some(_) | None => Err("give HOST:PORT, like 127.0.0.1:8083 or [::1]:8083".to_owned()),
    }
}

/// Reads `NAME=PATH`.
pub(crate) fn parse_directory(text: &str) -> Result<NamedDirectory, String> {
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match text.split_once('=') {
        Some((name, path)) if is_name(name) && !path.is_empty() => {
            Ok(NamedDirectory { name: name.to_owned(), path: path.into() })
        }
        Some(_) | None => {
            Err("give NAME=PATH, like models=/srv/models; a name has letters, digits, - and _".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NamedDirectory, parse_directory, parse_listen};

    #[test]
    fn directories_have_a_name_and_a_path() {
        let expected = NamedDirectory { name: "a-1".into(), path: "/x=y".into() };
        assert_eq!(parse_directory("a-1=/x=y").unwrap(), expected);
        for wrong in ["", "/srv", "=/srv", "a=", "a b=/srv", "a.b=/srv"] {
            assert!(parse_directory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn listen_addresses_need_host_and_port() {
        for right in ["127.0.0.1:8083", "localhost:0", "[::1]:8083"] {
            assert_eq!(parse_listen(right).unwrap(), right);
        }
        for wrong in ["8083", ":8083", "localhost", "localhost:http", "h:70000"] {
            assert!(parse_listen(wrong).is_err(), "{wrong}");
        }
    }
}
