//! Finds state machines for the operations on one of them.

use stepwell_store::MachineRecord;

use super::arn::{MachineArn, fits_a_key};
use super::error::ApiError;
use crate::server::Server;

/// The type of machines whose executions are not stored.
pub(super) const EXPRESS: &str = "EXPRESS";

/// Whether a machine is of that type.
pub(super) fn is_express(record: &MachineRecord) -> bool {
    record.machine_type == EXPRESS
}

/// The machine with this ARN, with the version to expect when changing it.
pub(super) async fn find(server: &Server, arn: &str) -> Result<Option<(MachineRecord, u64)>, ApiError> {
    // A longer ARN cannot have been stored, and the store refuses to look for it.
    if fits_a_key(arn) { Ok(server.store.machine(arn).await?) } else { Ok(None) }
}

/// The same, required. Versions and aliases do not exist in this release, so no qualified ARN names anything.
/// Errors: `StateMachineDoesNotExist`.
pub(super) async fn require(server: &Server, arn: &MachineArn) -> Result<(MachineRecord, u64), ApiError> {
    let found = find(server, &arn.text).await?;
    found.ok_or_else(|| ApiError::StateMachineDoesNotExist(arn.text.clone()))
}
