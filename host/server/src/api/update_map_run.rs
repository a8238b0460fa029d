//! UpdateMapRun (API reference, section 2.5). This release runs no Distributed Map: no map run exists.

use super::arn::check_map_run_arn;
use super::error::ApiError;
use super::{Answer, Call};
use crate::limits;

pub(super) fn handle(mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.required_text("mapRunArn", 1, limits::LONG_ARN_CHARACTERS);
    fields.integer("maxConcurrency", 0, i64::from(i32::MAX));
    fields.float("toleratedFailurePercentage", 0, 100);
    fields.integer("toleratedFailureCount", 0, i64::MAX);
    fields.check()?;
    check_map_run_arn(&arn)?;
    Err(ApiError::ResourceNotFound(arn))
}
