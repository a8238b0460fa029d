//! Every bound of the server in one place, with its source. No other file may invent one.

use std::time::Duration;
use stepwell_asl::{Quotas, Timestamp};

/// How long GetActivityTask is held: clients give up after a minute.
pub(crate) const ACTIVITY_POLL: Duration = Duration::from_secs(55);
/// Characters of a task token in a request (model).
pub(crate) const TASK_TOKEN_CHARACTERS: usize = 2_048;
/// Largest API request, in bytes: 1 MiB (quota "request size") and room for the JSON around a payload of that size.
const REQUEST_BYTES: usize = 1_048_576 + 65_536;

/// Largest API request, in bytes: a payload as large as the configuration allows fits in, twice as long as JSON text.
pub(crate) fn request_bytes(quotas: Quotas) -> usize {
    REQUEST_BYTES.max(2 * quotas.payload_bytes + 65_536)
}

/// Largest request to try an expression, in bytes: an API request with all that variables may hold beside it.
pub(crate) fn trial_request_bytes(quotas: Quotas) -> usize {
    request_bytes(quotas) + VARIABLES_BYTES
}

/// All variables of an execution, in bytes (quota "maximum size of all stored variables": 10 MiB).
const VARIABLES_BYTES: usize = 10 << 20;
/// Trials of expressions, under way or waiting. One at a time is under way, for about a second at most.
pub(crate) const TRIALS: usize = 16;
/// States that are tried at the same time (TestState), those whose tasks run included. Evaluations count as trials too.
pub(crate) const STATE_TESTS: usize = 64;
/// Longest time that the task of a tried state may take (API: TestState, five minutes).
pub(crate) const STATE_TEST_TIME: Duration = Duration::from_mins(5);
/// Longest time that all expressions of a tried state may take together: others wait for their turn.
pub(crate) const STATE_TEST_EXPRESSIONS: Duration = Duration::from_secs(5);
/// Largest `mock.result`, `context` and the like, in bytes (API: SensitiveData, TestContextObject).
pub(crate) const STATE_TEST_BYTES: usize = 262_144;
/// Largest count of TestState's configuration (API: an Integer).
pub(crate) const STATE_TEST_COUNT: i64 = i32::MAX as i64;
/// Violations that the answer to a bad trial names.
pub(crate) const VIOLATIONS: usize = 10;
/// Longest name of a member that such an answer quotes whole, in characters.
pub(crate) const QUOTED_MEMBER_CHARACTERS: usize = 100;

/// What is read and thrown away of a request that is too large, in bytes, so that its sender gets to read the answer.
pub(crate) const DRAIN_BYTES: usize = 64 << 20;
/// Longest time for a request's body to arrive.
pub(crate) const BODY_TIME: Duration = Duration::from_mins(5);
/// Longest value that a constraint's message quotes whole, in characters. Recordings quote 3,097.
pub(crate) const QUOTED_CHARACTERS: usize = 4_096;

/// Largest definition, in characters (API: Definition).
pub(crate) const DEFINITION_CHARACTERS: usize = 1_048_576;
/// Longest ARN, in characters (API: Arn).
pub(crate) const ARN_CHARACTERS: usize = 256;
/// Longest ARN of a map run, in characters (API: LongArn).
pub(crate) const LONG_ARN_CHARACTERS: usize = 2_000;
/// Longest name, in characters (API: Name).
pub(crate) const NAME_CHARACTERS: usize = 80;
/// Longest error name, in characters (API: SensitiveError).
pub(crate) const ERROR_CHARACTERS: usize = 256;
/// Longest cause, in characters (API: SensitiveCause).
pub(crate) const CAUSE_CHARACTERS: usize = 32_768;
/// Longest trace header, in characters (API: TraceHeader).
pub(crate) const TRACE_HEADER_CHARACTERS: usize = 256;
/// Longest description of a version, in characters (API: VersionDescription).
pub(crate) const VERSION_DESCRIPTION_CHARACTERS: usize = 256;
/// Longest id of a KMS key, in characters (API: KmsKeyId).
pub(crate) const KMS_KEY_ID_CHARACTERS: usize = 2_048;

/// Items on a page when `maxResults` is absent or 0 (API: PageSize).
pub(crate) const DEFAULT_PAGE_ITEMS: usize = 100;
/// Largest `maxResults` (API: PageSize).
pub(crate) const PAGE_ITEMS: i64 = 1_000;
/// Longest page token, in characters (API: PageToken).
pub(crate) const PAGE_TOKEN_CHARACTERS: usize = 1_024;
/// Longest page token of ListExecutions, in characters (API: ListExecutionsPageToken).
pub(crate) const LIST_EXECUTIONS_TOKEN_CHARACTERS: usize = 3_096;
/// How long a page token is valid, in milliseconds (API reference: 24 hours).
pub(crate) const PAGE_TOKEN_MILLISECONDS: i64 = 24 * 3_600 * 1_000;
/// Bytes of payloads after which a page of history ends, whatever `maxResults` says.
pub(crate) const HISTORY_PAGE_BYTES: usize = 4 << 20;
/// Events read from the store at once for a page of history.
pub(crate) const HISTORY_READ_EVENTS: usize = 50;
/// Largest `maxResults` of ValidateStateMachineDefinition, and its default.
pub(crate) const DIAGNOSTICS: i64 = 100;

/// Tries of a change that others change at the same time.
pub(crate) const CHANGE_TRIES: usize = 16;
/// Versions of one machine (API reference, section 5.1).
pub(crate) const MACHINE_VERSIONS: usize = 1_000;
/// Aliases of one machine (API reference, section 5.1).
pub(crate) const MACHINE_ALIASES: usize = 100;
/// State machines read from the store at once.
pub(crate) const MACHINES_READ: usize = 500;
/// Versions and aliases read from the store at once.
pub(crate) const MACHINE_PARTS_READ: usize = 200;
/// Versions that an alias may name (API: RoutingConfigurationList).
pub(crate) const ROUTES: usize = 2;
/// Executions that one ListExecutions looks at to find those of a version or an alias. Then it answers with what it has
/// found, and a token.
pub(crate) const EXECUTIONS_EXAMINED: usize = 10_000;
/// How long StartExecution without a name is recognised when it is repeated.
pub(crate) const REPEATED_START: Duration = Duration::from_mins(15);
/// Longest id of an invocation that is looked at, in bytes. SDKs send UUIDs.
pub(crate) const INVOCATION_ID_BYTES: usize = 128;
/// How long `GET /api/executions/{arn}/wait` waits if it is not told.
pub(crate) const WAIT: Duration = Duration::from_secs(30);
/// The longest that it can be told to wait.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Delay that an overloaded server asks for, in milliseconds (header `x-amz-retry-after`).
pub(crate) const RETRY_AFTER_MILLISECONDS: u32 = 200;

/// Longest module name, in characters (Lambda API: FunctionName).
pub(crate) const MODULE_NAME_CHARACTERS: usize = 64;
/// Modules read from the store at once.
pub(crate) const MODULES_READ: usize = 500;
/// Records of log lines that one answer holds; a record holds what one task logged.
pub(crate) const LOG_RECORDS: usize = 1_000;
/// Log lines kept of one call; the sandbox bounds their bytes.
pub(crate) const LOG_LINES: usize = 1_000;
/// How long a redrive is possible after the end, in milliseconds (API reference, section 4: 14 days).
pub(crate) const REDRIVE_MILLISECONDS: i64 = 14 * 86_400 * 1_000;
/// How long an execution may be open (API reference, section 5.2: one year).
pub(crate) const EXECUTION_MILLISECONDS: i64 = 365 * 86_400 * 1_000;
/// Executions that were started before 2023-11-15 cannot be redriven (API reference, section 4).
pub(crate) const REDRIVE_LAUNCH: Timestamp = Timestamp(1_700_006_400_000);
/// Longest `clientToken`, in characters (API: ClientToken).
pub(crate) const CLIENT_TOKEN_CHARACTERS: usize = 64;

/// How far the clocks of clients may be off (API reference, section 1.7).
pub(crate) const CLOCK_SKEW: Duration = Duration::from_mins(5);
/// Longest time that a presigned address may hold (SigV4: a week).
pub(crate) const LONGEST_PRESIGNED: Duration = Duration::from_hours(7 * 24);
/// How long the address of a function's code holds (Lambda API: GetFunction, ten minutes).
pub(crate) const CODE_ADDRESS: Duration = Duration::from_mins(10);
/// Access keys, also revoked ones. Every list has all of them.
pub(crate) const ACCESS_KEYS: usize = 10_000;
/// Access keys read from the store at once.
pub(crate) const ACCESS_KEYS_READ: usize = 500;
/// Bodies that are longer than this are read a few at a time while nobody knows yet whether their signature is right.
pub(crate) const SMALL_BODY_BYTES: usize = 2 << 20;
/// How many longer ones at the same time.
pub(crate) const UNVERIFIED_BODIES: usize = 4;
/// What is read and thrown away of a request that is not let in, in bytes.
pub(crate) const REFUSED_BYTES: usize = 2 << 20;
/// And for how long.
pub(crate) const REFUSED_TIME: Duration = Duration::from_secs(2);

/// Longest time for a TLS handshake.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Longest time from the end of one request of a connection, or from its beginning, until the header of the next one is
/// there: idle and slow connections end then.
pub(crate) const HEADER_TIME: Duration = Duration::from_mins(1);
/// Headers of a request.
pub(crate) const HEADERS: usize = 100;
/// Largest header of a request, in bytes.
pub(crate) const HEADER_BYTES: usize = 64 << 10;
/// Requests at the same time on one connection of HTTP/2.
pub(crate) const STREAMS: u32 = 128;
/// How long the server waits after a connection could not be accepted for want of descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Descriptors that connections leave for files and modules.
pub(crate) const OTHER_DESCRIPTORS: u64 = 512;

/// How long open requests may take to end when the server stops.
pub(crate) const REQUESTS_GRACE: Duration = Duration::from_secs(10);
/// How long synchronous Express executions may take to end when the server stops, which leaves time for their answers.
pub(crate) const SYNC_GRACE: Duration = Duration::from_secs(8);
/// Steps in which memory and time of a synchronous execution are billed: bytes and milliseconds (API: BillingDetails).
pub(crate) const BILLED_STEPS: (u64, u64) = (64 << 20, 100);
/// How long running tasks may take to end when the server stops.
pub(crate) const TASKS_GRACE: Duration = Duration::from_secs(10);
/// A call that the sandbox ends this close to the state's deadline has met that deadline.
pub(crate) const DEADLINE_SLACK: Duration = Duration::from_millis(50);

/// Largest manifest, in bytes.
pub(crate) const MANIFEST_BYTES: usize = 1 << 20;
/// Entries of an uploaded archive.
pub(crate) const ARCHIVE_ENTRIES: usize = 10_000;
/// What clients set and read back of a module, in bytes.
pub(crate) const MODULE_SETTINGS_BYTES: usize = 64 << 10;
/// Versions of one module. With its aliases they are deleted in one batch of the store.
pub(crate) const MODULE_VERSIONS: usize = 10_000;
/// Aliases of one module.
pub(crate) const MODULE_ALIASES: usize = 1_000;
/// Longest alias, in characters (Lambda API: Alias).
pub(crate) const ALIAS_CHARACTERS: usize = 128;
/// Qualifiers of modules that are kept ready for calls; one more, and all are read anew.
pub(crate) const RESOLUTIONS: usize = 10_000;
/// How often contents of modules are looked for that nothing needs.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_mins(10);
/// How long what a module was is kept at least: an execution may have begun that is not stored yet, or never is (Express).
pub(crate) const PIN_GRACE: Duration = Duration::from_mins(10);
/// How often to look whether the moment of a change has come, a millisecond apart. It is the next one.
pub(crate) const MOMENT_TRIES: usize = 20;
/// Longest name of a secret, in characters.
pub(crate) const SECRET_NAME_CHARACTERS: usize = 64;
/// Longest value of a secret, in bytes.
pub(crate) const SECRET_BYTES: usize = 64 << 10;
/// Secrets read from the store at once. A record is at most twice as long as its value.
pub(crate) const SECRETS_READ: usize = 25;
/// Largest request about modules and secrets that is no upload, in bytes.
pub(crate) const REST_BYTES: usize = 2 << 20;

/// Largest payload of a call over the Lambda API, in bytes (Lambda quota: 6 MB and some room).
pub(crate) const LAMBDA_PAYLOAD_BYTES: usize = 6_291_556;
/// Largest payload of a call in the background, in bytes (Lambda quota: 1 MB).
pub(crate) const EVENT_BYTES: usize = 1 << 20;
/// Largest request of the Lambda API without code or payload, in bytes.
pub(crate) const LAMBDA_REQUEST_BYTES: usize = 1 << 20;
/// Calls in the background, in KiB of their payloads. With the next one: at most 1,024 calls.
pub(crate) const EVENTS_KIB: usize = 64 << 10;
/// What a call in the background counts at least, in KiB.
pub(crate) const EVENT_KIB: usize = 64;
/// How long a call in the background waits before its second try and before its third (Lambda: one and two minutes).
pub(crate) const EVENT_PAUSES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];
/// Longest name of a function with its ARN, in characters (Lambda API: NamespacedFunctionName).
pub(crate) const FUNCTION_NAME_CHARACTERS: usize = 256;
/// Longest qualifier, in characters (Lambda API: Qualifier).
pub(crate) const QUALIFIER_CHARACTERS: usize = 128;
/// Longest number of a version, in characters (Lambda API: Version).
pub(crate) const VERSION_CHARACTERS: usize = 1_024;
/// Longest ARN of a role and the like, in characters (Lambda API: RoleArn, Action, TaggableResource).
pub(crate) const LAMBDA_ARN_CHARACTERS: usize = 10_000;
/// Longest handler, in characters (Lambda API: Handler).
pub(crate) const HANDLER_CHARACTERS: usize = 128;
/// Longest name of a runtime, in characters. Lambda has an enumeration of its own.
pub(crate) const RUNTIME_CHARACTERS: usize = 128;
/// Longest description of a function, a version or an alias, in characters (Lambda API: Description).
pub(crate) const DESCRIPTION_CHARACTERS: usize = 256;
/// Longest revision id or digest, in characters.
pub(crate) const REVISION_CHARACTERS: usize = 256;
/// Longest principal of a permission, in characters (Lambda API: Principal).
pub(crate) const PRINCIPAL_CHARACTERS: usize = 2_048;
/// Longest id of a permission, in characters (Lambda API: StatementId).
pub(crate) const STATEMENT_ID_CHARACTERS: usize = 100;
/// Shortest and longest time-out of a function, in seconds (Lambda API: Timeout).
pub(crate) const FUNCTION_TIMEOUT_SECONDS: (i64, i64) = (1, 5_400);
/// Least and most memory of a function, in MiB (Lambda API: MemorySize).
pub(crate) const FUNCTION_MEMORY_MIB: (i64, i64) = (128, 32_768);
/// Largest `MaxItems` of the Lambda API.
pub(crate) const LAMBDA_MAX_ITEMS: i64 = 10_000;
/// Items on a page of the Lambda API at most, whatever `MaxItems` says.
pub(crate) const LAMBDA_PAGE_ITEMS: usize = 50;
/// Tags of a function (Lambda quota).
pub(crate) const TAGS: usize = 50;
/// Longest key of a tag, in characters.
pub(crate) const TAG_KEY_CHARACTERS: usize = 128;
/// Longest value of a tag, in characters.
pub(crate) const TAG_VALUE_CHARACTERS: usize = 256;

/// Transitions that wait to be logged or traced.
pub(crate) const OBSERVED_ITEMS: usize = 65_536;
/// And their bytes.
pub(crate) const OBSERVED_BYTES: usize = 64 << 20;
/// How many of them are written down at once.
pub(crate) const OBSERVED_AT_ONCE: usize = 1_024;
/// How often it is said at most that some were lost.
pub(crate) const LOSS_WARNINGS: Duration = Duration::from_mins(1);
/// How long the last logs and traces may take to be written when the server stops.
pub(crate) const OBSERVED_GRACE: Duration = Duration::from_secs(5);
/// Executions whose open spans are in memory; others are read back from their history.
pub(crate) const TRACED_EXECUTIONS: usize = 10_000;
/// Events of one span.
pub(crate) const SPAN_EVENTS: usize = 128;
/// What a span says of a cause, in characters.
pub(crate) const SPAN_CAUSE_CHARACTERS: usize = 1_024;
/// Spans, and log records, that wait to be sent to a collector.
pub(crate) const TELEMETRY_ITEMS: usize = 16_384;
/// How many of them are sent at once.
pub(crate) const TELEMETRY_BATCH: usize = 512;
/// How long they wait for others.
pub(crate) const TELEMETRY_PAUSE: Duration = Duration::from_secs(1);
/// Pauses after tries that a collector did not take.
pub(crate) const TELEMETRY_RETRIES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4), Duration::ZERO];
/// How often open executions are counted anew.
pub(crate) const OPEN_COUNTED_EVERY: Duration = Duration::from_hours(1);

/// Files of one log group.
pub(crate) const LOG_SEGMENTS: u64 = 8;
/// Longest part of a group's name that names its directory, in bytes.
pub(crate) const LOG_DIRECTORY_BYTES: usize = 150;
/// Longest name of a log group, in characters. CloudWatch has 512, but destinations of state machines 256 with their ARN.
pub(crate) const LOG_GROUP_CHARACTERS: usize = 256;
/// Longest ARN of a log group, in characters (CloudWatch Logs API: AmazonResourceName).
pub(crate) const LOG_ARN_CHARACTERS: usize = 1_011;
/// Log groups on a page (CloudWatch Logs API: DescribeLimit).
pub(crate) const LOG_GROUPS_PAGE: i64 = 50;
/// Events on a page (CloudWatch Logs API: EventsLimit).
pub(crate) const LOG_EVENTS_PAGE: i64 = 10_000;
/// Bytes of events after which a page ends (CloudWatch Logs API: 1 MB).
pub(crate) const LOG_ANSWER_BYTES: usize = 1 << 20;
/// What is looked through for one page, in bytes.
pub(crate) const LOG_SCAN_BYTES: u64 = 16 << 20;
/// Longest line, in bytes: what is read to see the first one.
pub(crate) const LOG_LINE_BYTES: u64 = 4 << 20;
/// Longest filter pattern, in characters (CloudWatch Logs API: FilterPattern).
pub(crate) const FILTER_CHARACTERS: usize = 1_024;
/// A day.
pub(crate) const DAY_MILLISECONDS: i64 = 86_400_000;

/// Largest request that uploads code, in bytes: the code as base64, in an archive or not, and the members beside it.
pub(crate) fn code_request_bytes(max_module_bytes: usize) -> usize {
    max_module_bytes / 3 * 4 + LAMBDA_REQUEST_BYTES
}

/// Executions that wait for each other, each for the one that it has started: about what a machine is that starts itself.
pub(crate) const NESTED_EXECUTIONS: u32 = 100;
/// How often a task's call of this server's own operations is tried while the server has too much to do, or its store
/// refuses.
pub(crate) const OWN_CALL_TRIES: u32 = 60;
/// The pause between two.
pub(crate) const OWN_CALL_RETRY: Duration = Duration::from_secs(1);
/// How often is tried to stop what a task has started that was aborted.
pub(crate) const OWN_STOP_TRIES: u32 = 10;
/// The pause between two.
pub(crate) const OWN_STOP_RETRY: Duration = Duration::from_millis(300);
