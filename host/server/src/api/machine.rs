//! Finds state machines, and versions and aliases of them, for the operations.

use stepwell_store::{MachineAliasRecord, MachineRecord, MachineVersionRecord};

use super::arn::{MachineArn, fits_a_key};
use super::error::ApiError;
use crate::limits;
use crate::server::Server;

/// The type of machines whose executions are not stored.
pub(super) const EXPRESS: &str = "EXPRESS";

/// Whether a machine is of that type.
pub(crate) fn is_express(record: &MachineRecord) -> bool {
    record.machine_type == EXPRESS
}

/// The machine with this ARN, with the version to expect when changing it.
pub(super) async fn find(server: &Server, arn: &str) -> Result<Option<(MachineRecord, u64)>, ApiError> {
    // A longer ARN cannot have been stored, and the store refuses to look for it.
    if fits_a_key(arn) { Ok(server.store.machine(arn).await?) } else { Ok(None) }
}

/// The machine itself: an ARN that names a version or an alias names none (recorded).
/// Errors: `StateMachineDoesNotExist`.
pub(super) async fn require(server: &Server, arn: &MachineArn) -> Result<(MachineRecord, u64), ApiError> {
    let found = find(server, &arn.text).await?;
    found.ok_or_else(|| ApiError::StateMachineDoesNotExist(arn.text.clone()))
}

/// The same, to be changed. Errors: `StateMachineDoesNotExist`, `StateMachineDeleting`.
pub(super) async fn require_active(
    server: &Server,
    arn: &MachineArn,
) -> Result<(MachineRecord, u64), ApiError> {
    let (record, version) = require(server, arn).await?;
    check_active(&record)?;
    Ok((record, version))
}

/// Errors: `StateMachineDeleting`.
pub(super) fn check_active(record: &MachineRecord) -> Result<(), ApiError> {
    if record.deleting { Err(ApiError::StateMachineDeleting(record.arn.clone())) } else { Ok(()) }
}

/// The version that an ARN names, with its machine. Errors: `StateMachineDoesNotExist`.
pub(super) async fn require_version(
    server: &Server,
    arn: &MachineArn,
    number: u64,
) -> Result<(MachineRecord, MachineVersionRecord), ApiError> {
    let missing = || ApiError::StateMachineDoesNotExist(arn.text.clone());
    let (record, _) = find(server, &arn.machine).await?.ok_or_else(missing)?;
    let version = server.store.machine_version(record.id, number).await?.ok_or_else(missing)?;
    Ok((record, version))
}

/// The alias that an ARN names, with its machine and the version to expect when changing that.
/// Errors: `ResourceNotFound`.
pub(super) async fn require_alias(
    server: &Server,
    arn: &MachineArn,
) -> Result<(MachineRecord, u64, MachineAliasRecord), ApiError> {
    let missing = || ApiError::ReferenceNotFound(arn.text.clone());
    let alias = arn.alias().ok_or_else(missing)?;
    let (record, version) = find(server, &arn.machine).await?.ok_or_else(missing)?;
    let alias = server.store.machine_alias(record.id, alias).await?.ok_or_else(missing)?;
    Ok((record, version, alias))
}

/// All aliases of a machine by name: a quota keeps them few.
pub(super) async fn aliases(
    server: &Server,
    record: &MachineRecord,
) -> Result<Vec<MachineAliasRecord>, ApiError> {
    let mut found: Vec<MachineAliasRecord> = Vec::new();
    loop {
        let after = found.last().map(|alias| alias.name.as_str());
        let page = server.store.machine_aliases(record.id, after, limits::MACHINE_PARTS_READ).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}
