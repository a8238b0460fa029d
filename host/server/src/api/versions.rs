//! Publishing (API reference, sections 1.12 and 2.2): the current revision of a machine as its next version, or the
//! version that it is already.
//!
//! It must never give a number twice.

use stepwell_store::{Changes, MachineRecord, MachineVersionRecord};

use super::arn::qualified_arn;
use super::error::ApiError;
use crate::limits;
use crate::server::Server;

/// How the first revision is named, which has no id.
const INITIAL: &str = "INITIAL";

/// What publishing comes to.
pub(super) struct Publication {
    /// The version.
    pub(super) version: MachineVersionRecord,
    /// Whether there was none of this revision, and it is still to be stored.
    pub(super) is_new: bool,
}

impl Publication {
    /// The version of a machine as it is now. A new one takes the machine's next number.
    /// Errors: `ServiceQuotaExceededException`.
    pub(super) async fn of(
        server: &Server,
        record: &mut MachineRecord,
        description: Option<String>,
    ) -> Result<Publication, ApiError> {
        let newest = server.store.machine_versions(record.id, None, 1).await?.into_iter().next();
        if let Some(version) = newest.filter(|newest| newest.revision == record.revision) {
            return Ok(Publication { version, is_new: false });
        }
        check_quota(server, record).await?;
        let version = MachineVersionRecord::next(record, description, server.clock.now());
        record.next_version += 1;
        Ok(Publication { version, is_new: true })
    }

    /// Its ARN.
    pub(super) fn arn(&self, record: &MachineRecord) -> String {
        qualified_arn(&record.arn, self.version.number)
    }

    /// Adds the version to a change of the machine's record.
    pub(super) fn add_to(&self, changes: &mut Changes) -> Result<(), ApiError> {
        if self.is_new {
            changes.machine_version(&self.version)?;
        }
        Ok(())
    }
}

/// Refuses to publish another revision than the one that was asked for. Errors: `ConflictException`.
pub(super) fn check_revision(record: &MachineRecord, wanted: Option<&str>) -> Result<(), ApiError> {
    let current = record.revision_id.as_deref().unwrap_or(INITIAL);
    match wanted {
        Some(wanted) if wanted != current => Err(ApiError::Conflict(
            format!(
                "Failed to publish the State Machine version for revision {wanted}. The current State Machine revision \
                 is {current}."
            )
            .into(),
        )),
        Some(_) | None => Ok(()),
    }
}

/// Errors: `ServiceQuotaExceededException`.
async fn check_quota(server: &Server, record: &MachineRecord) -> Result<(), ApiError> {
    if record.next_version <= limits::MACHINE_VERSIONS as u64 {
        return Ok(());
    }
    let (mut count, mut before) = (0, None);
    loop {
        let page = server.store.machine_versions(record.id, before, limits::MACHINE_PARTS_READ).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.number);
        count += page.len();
        if count >= limits::MACHINE_VERSIONS {
            return Err(ApiError::ServiceQuotaExceeded(format!(
                "State machine '{}' has {} versions, which is as many as are allowed: delete some first",
                record.arn,
                limits::MACHINE_VERSIONS
            )));
        }
    }
}
