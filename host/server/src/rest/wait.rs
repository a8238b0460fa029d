//! `GET /api/executions/{arn}/wait?timeout=SECONDS`: DescribeExecution that answers once the execution has ended, or
//! when the time is over. The seconds are real ones, also where workflows have virtual time.

use std::time::Duration;

use axum::extract::Path;
use axum::http::{StatusCode, Uri};
use stepwell_executor::WaitError;

use super::{Answer, RestError, answer, query};
use crate::api::error::ApiError;
use crate::api::{describe_execution, execution};
use crate::auth::AsCaller;
use crate::limits;

/// Waits; a server that stops lets everybody go with what is known then.
pub(super) async fn wait_for_end(AsCaller(server): AsCaller, Path(arn): Path<String>, uri: Uri) -> Answer {
    let [timeout] = query::read(&uri, ["timeout"])?;
    let timeout = timeout.map_or(Ok(limits::WAIT), |text| seconds(&text))?;
    let id = execution::find(&server, &arn).await?;
    tokio::select! {
        biased;
        ended = server.executor.wait(&arn, id) => ended.map_err(refusal)?,
        () = tokio::time::sleep(timeout) => {}
        () = server.stopping() => {}
    }
    let execution = describe_execution::describe_whole(&server, &arn).await?;
    Ok(answer(StatusCode::OK, &execution))
}

fn seconds(text: &str) -> Result<Duration, RestError> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|seconds| *seconds <= limits::LONGEST_WAIT).ok_or_else(|| {
        RestError::Invalid(format!(
            "timeout: give a number of seconds from 0 to {}",
            limits::LONGEST_WAIT.as_secs()
        ))
    })
}

fn refusal(error: WaitError) -> RestError {
    match error {
        WaitError::Busy => ApiError::Throttling.into(),
        WaitError::ShuttingDown => ApiError::ServiceUnavailable(error.to_string()).into(),
        WaitError::Store(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_bounded() {
        for (text, milliseconds) in [("0", 0), ("30", 30_000), ("0.25", 250), ("300", 300_000)] {
            assert_eq!(seconds(text).ok(), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in ["", "-1", "301", "NaN", "inf", "1e9", "30s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
