//! Task tokens: what names one waiting task to the world outside (specification, "The Context Object", Task.Token).
//!
//! A token follows from the execution and the work, so that a replay makes the same one. It must never say anything
//! to who has no business with it.

use crate::execution::{ExecutionContext, WorkId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The token of a task: the execution's ARN and the work, with a tag that only who knows the execution's seed can
/// make. At most 1,024 characters, because ARNs are shorter than 400.
pub(crate) fn task_token(context: &ExecutionContext, work: WorkId) -> String {
    let name = format!("{}#{}#{}", context.execution_arn, work.branch.0, work.serial);
    let mut digest = Sha256::new();
    digest.update(context.seed.to_be_bytes());
    digest.update(name.as_bytes());
    let tag = digest.finalize();
    URL_SAFE_NO_PAD.encode([name.as_bytes(), b"#", &tag[..16]].concat())
}
