//! The bounds of integrations.

use std::time::Duration;

/// Bytes of a log tail before base64 (API: LogResult).
pub(crate) const LOG_TAIL_BYTES: usize = 4_096;

/// Test runs whose invocations are counted at the same time; of older ones it is forgotten.
pub(crate) const MOCKED_RUNS: usize = 10_000;
/// Bytes of an object's key (S3 User Guide, "Object key naming").
pub(crate) const KEY_BYTES: usize = 1_024;
/// Bytes of an object that becomes a task's result.
pub(crate) const OBJECT_TEXT_BYTES: usize = 8 * 1024 * 1024;
/// Keys in a page of ListObjectsV2 (API: MaxKeys), and keys of one DeleteObjects.
pub(crate) const LISTED_KEYS: usize = 1_000;
/// Bytes that are copied at a time.
pub(crate) const COPY_BYTES: usize = 1024 * 1024;
/// Characters of a wrong value that an error repeats.
pub(crate) const SHOWN_CHARACTERS: usize = 256;

/// Longest time of an HTTP task's request, from its connection to the last byte of the response (Developer Guide).
pub(crate) const HTTP_TASK_TIME: Duration = Duration::from_mins(1);
/// Requests of the server itself that are under way at the same time; others wait within their time.
pub(crate) const OUTGOING_CONNECTIONS: usize = 1_024;
/// Headers of a response, in bytes.
pub(crate) const OUTGOING_HEAD_BYTES: usize = 64 << 10;
/// What an error's cause keeps of a response's body, in bytes: a cause has 32,768 characters, and JSON doubles quotes.
pub(crate) const ERROR_BODY_BYTES: usize = 12 << 10;
/// Longest cause of an error, in characters (API: SensitiveCause).
pub(crate) const CAUSE_CHARACTERS: usize = 32_768;
/// How deep bodies that are URL-encoded may be nested.
pub(crate) const FORM_DEPTH: usize = 32;
/// Exchanges that somebody watches at the same time: TestState runs fewer.
pub(crate) const WATCHED_EXCHANGES: usize = 1_024;

/// Longest time for an access token to arrive.
pub(crate) const TOKEN_TIME: Duration = Duration::from_secs(20);
/// Largest answer that brings an access token, in bytes.
pub(crate) const TOKEN_BYTES: usize = 64 << 10;
/// An access token is not used for so long before it expires, in seconds.
pub(crate) const TOKEN_RESERVE_SECONDS: u64 = 30;
/// How long a token is used that says nothing of when it expires, in seconds.
pub(crate) const TOKEN_SECONDS: u64 = 3_600;
/// Longest time that a token is believed to be good, in seconds.
pub(crate) const TOKEN_MOST_SECONDS: u64 = 24 * 3_600;
/// Tokens that are kept; with more connections the oldest are fetched again.
pub(crate) const TOKENS: usize = 3_000;

/// Connections of an account in a region (EventBridge quotas).
pub(crate) const CONNECTIONS: usize = 3_000;
/// Longest name of a connection, in characters (API: ConnectionName).
pub(crate) const CONNECTION_NAME_CHARACTERS: usize = 64;
/// Longest description, in characters (API: ConnectionDescription).
pub(crate) const CONNECTION_DESCRIPTION_CHARACTERS: usize = 512;
/// Longest text of `AuthParameters`, in bytes: what a secret of Secrets Manager holds.
pub(crate) const AUTH_PARAMETERS_BYTES: usize = 64 << 10;
/// Parameters of one kind (API: ConnectionHeaderParametersList and its like).
pub(crate) const CONNECTION_PARAMETERS: usize = 100;
/// Longest page of ListConnections (API: LimitMax100).
pub(crate) const CONNECTIONS_PAGE: i64 = 100;
