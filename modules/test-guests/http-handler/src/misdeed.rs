//! What a web server can do wrong.

use serde::Deserialize;
use std::hint::black_box;
use std::io::Write;
use wasip2::http::types::{ErrorCode, Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// What to do wrong: `{"misdeed": NAME}`.
#[derive(Deserialize)]
#[serde(tag = "misdeed", rename_all = "kebab-case")]
pub(crate) enum Misdeed {
    /// Never answers, and computes.
    NeverAnswer,
    /// Panics before it answers.
    Panic,
    /// Ends without an answer, and without giving up that it could.
    KeepAnswer,
    /// Begins an answer, and ends without giving up that it could go on.
    KeepBody,
    /// Ends without an answer.
    NoAnswer,
    /// Answers with an error in place of a response.
    Error,
    /// Begins an answer, and ends without its body's end.
    HalfAnswer,
    /// Promises more of a body than it writes.
    ShortBody,
    /// Answers without end.
    EndlessAnswer,
    /// Answers, then panics.
    AnswerAndPanic,
    /// Answers, then computes without end.
    AnswerAndLoop,
    /// Answers with headers of megabytes.
    LargeHeaders,
    /// Makes headers without end.
    ManyFields,
    /// Answers with bytes that are no text.
    NotText,
    /// Answers with a status that says to wait.
    Informational,
}

/// How much is written at once.
const CHUNK: [u8; 4_096] = [b'1'; 4_096];

impl Misdeed {
    /// Reads what a body asks for, if it asks for any of this.
    pub(crate) fn asked(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Does it. Where the host does not let it, it comes back.
    pub(crate) fn commit(self, response_out: ResponseOutparam) {
        match self {
            Self::NeverAnswer => spin(),
            Self::Panic => panic!("before the answer"),
            Self::KeepAnswer => std::mem::forget(response_out),
            Self::KeepBody => std::mem::forget(begin(response_out, Fields::new(), 200, b"1")),
            Self::NoAnswer => drop(response_out),
            Self::Error => ResponseOutparam::set(response_out, Err(ErrorCode::InternalError(None))),
            Self::HalfAnswer => drop(begin(response_out, Fields::new(), 200, b"{\"half\":")),
            Self::ShortBody => {
                let headers = Fields::new();
                let _ = headers.set("content-length", &[b"1000".to_vec()]);
                finish(begin(response_out, headers, 200, b"1"));
            }
            Self::EndlessAnswer => {
                let response = OutgoingResponse::new(Fields::new());
                let Ok(body) = response.body() else { return };
                ResponseOutparam::set(response_out, Ok(response));
                let Ok(mut stream) = body.write() else { return };
                while stream.write_all(&CHUNK).and_then(|()| Write::flush(&mut stream)).is_ok() {}
            }
            Self::AnswerAndPanic => {
                finish(begin(response_out, Fields::new(), 200, b"1"));
                panic!("after the answer");
            }
            Self::AnswerAndLoop => {
                finish(begin(response_out, Fields::new(), 200, b"1"));
                spin();
            }
            Self::LargeHeaders => {
                let headers = Fields::new();
                for number in 0..100 {
                    let _ = headers.append(&format!("x-{number}"), "h".repeat(100_000).as_bytes());
                }
                finish(begin(response_out, headers, 200, b"1"));
            }
            Self::ManyFields => {
                let mut kept = Vec::new();
                loop {
                    let fields = Fields::new();
                    let _ = fields.append("x-header", "h".repeat(30_000).as_bytes());
                    kept.push(black_box(fields));
                }
            }
            Self::NotText => finish(begin(response_out, Fields::new(), 200, b"\"\xff\xfe\"")),
            Self::Informational => finish(begin(response_out, Fields::new(), 103, b"1")),
        }
    }
}

/// Begins an answer and writes the beginning of its body.
fn begin(response_out: ResponseOutparam, headers: Fields, status: u16, text: &[u8]) -> Option<OutgoingBody> {
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(status);
    let body = response.body().ok()?;
    ResponseOutparam::set(response_out, Ok(response));
    let mut stream = body.write().ok()?;
    let _ = stream.write_all(text).and_then(|()| Write::flush(&mut stream));
    drop(stream);
    Some(body)
}

/// Ends an answer.
fn finish(body: Option<OutgoingBody>) {
    if let Some(body) = body {
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Keeps one core busy.
fn spin() -> ! {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misdeeds_are_asked_for_by_name() {
        assert!(matches!(Misdeed::asked(br#"{"misdeed":"no-answer"}"#), Some(Misdeed::NoAnswer)));
        for other in ["{}", "[", r#"{"misdeed":"unknown"}"#, r#"{"status":1}"#] {
            assert!(Misdeed::asked(other.as_bytes()).is_none(), "{other}");
        }
    }
}
