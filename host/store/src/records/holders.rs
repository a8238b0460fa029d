//! Who has how much: machines, activities and running executions by account and region, counted by reading all of them.
//!
//! Where such numbers bound something, they are counted once, before anything is begun, and kept in memory from then on.
//! It must never be asked by a request: it takes as long as the store is large.

use super::execution::ExecutionSummary;
use super::space;
use super::store::{Store, decode};
use crate::backend::KeyRange;
use crate::batch::Space;
use crate::error::StoreError;
use crate::limits;
use std::collections::BTreeMap;

/// Sections of an ARN that name who has what it stands for: `arn:aws:states:REGION:ACCOUNT`.
const HOLDER_SECTIONS: usize = 5;

/// The account and the region of an ARN, as the beginning that all their ARNs have in common. What is no ARN stands for itself.
pub fn holder_of(arn: &str) -> &str {
    let end = arn.match_indices(':').nth(HOLDER_SECTIONS - 1).map_or(arn.len(), |(at, _)| at);
    &arn[..end]
}

/// Numbers by [`holder_of`].
pub type HeldCounts = BTreeMap<String, u64>;

impl Store {
    /// Machines, also those that are being deleted.
    pub async fn count_held_machines(&self) -> Result<HeldCounts, StoreError> {
        self.count_held(space::MACHINES, KeyRange::all(), |key, _| arn_of(key)).await
    }

    /// Activities.
    pub async fn count_held_activities(&self) -> Result<HeldCounts, StoreError> {
        self.count_held(space::ACTIVITIES, KeyRange::all(), |key, _| arn_of(key)).await
    }

    /// Executions that run, whether they rest or not. While some are begun or end it may miss them.
    pub async fn count_held_running(&self) -> Result<HeldCounts, StoreError> {
        let mut counts = HeldCounts::new();
        for list in [space::OPEN, space::PARKED] {
            let of_list = self.count_held(space::LISTS, KeyRange::prefix(vec![list]), |key, value| {
                let summary: ExecutionSummary = decode(space::LISTS, key, value)?;
                Ok(summary.execution_arn)
            });
            for (holder, count) in of_list.await? {
                *counts.entry(holder).or_default() += count;
            }
        }
        Ok(counts)
    }

    async fn count_held(
        &self,
        space: Space,
        range: KeyRange,
        arn: impl Fn(&[u8], &[u8]) -> Result<String, StoreError>,
    ) -> Result<HeldCounts, StoreError> {
        let mut counts = HeldCounts::new();
        let mut range = Some(range);
        while let Some(rest) = range {
            let page = self.backend.scan(space, rest, false, limits::PAGE_ITEMS).await?;
            for (key, value) in page.items {
                let arn = arn(&key, &value)?;
                let holder = holder_of(&arn);
                match counts.get_mut(holder) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(holder.to_owned(), 1)),
                }
            }
            range = page.next;
        }
        Ok(counts)
    }
}

/// The ARN that a key is.
#[expect(clippy::unnecessary_wraps, reason = "the others have to decode a record")]
fn arn_of(key: &[u8]) -> Result<String, StoreError> {
    Ok(String::from_utf8_lossy(key).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryBackend;
    use crate::records::ActivityRecord;
    use std::sync::Arc;
    use stepwell_asl::Timestamp;

    #[test]
    fn a_holder_is_an_account_in_a_region() {
        let holder = "arn:aws:states:us-east-1:111111111111";
        for kind in ["stateMachine:m", "stateMachine:m:1", "activity:a", "execution:m:e"] {
            assert_eq!(holder_of(&format!("{holder}:{kind}")), holder);
        }
        assert_eq!(holder_of(holder), holder);
        assert_eq!(holder_of("m"), "m");
    }

    #[tokio::test]
    async fn activities_are_counted_by_account_and_region_over_several_pages() {
        let store = Store::new(Arc::new(MemoryBackend::new()));
        let holder = |region: &str, account: u64| format!("arn:aws:states:{region}:{account}");
        let wanted =
            [(holder("eu-west-1", 1), 3), (holder("us-east-1", 1), 2_000), (holder("us-east-1", 2), 1)];
        for (holder, count) in &wanted {
            for number in 0..*count {
                let record = ActivityRecord {
                    arn: format!("{holder}:activity:{number}"),
                    name: number.to_string(),
                    created_at: Timestamp(1),
                    encryption_configuration: None,
                };
                store.create_activity(&record, BTreeMap::new()).await.unwrap();
            }
        }
        assert_eq!(store.count_held_activities().await.unwrap(), HeldCounts::from(wanted));
        assert_eq!(store.count_held_machines().await.unwrap(), HeldCounts::new());
    }
}
