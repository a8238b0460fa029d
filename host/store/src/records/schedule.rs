//! Stored schedules: what is due at times of its own, and when next. A rule of an event bus with a schedule has one too.
//!
//! What is due is made a delivery in the commit that moves the schedule on: so it happens once, whatever ends the process.

use super::changes::Changes;
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// A schedule (EventBridge Scheduler API: Schedule), or the schedule of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// The account that it belongs to, 12 digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// Whether it belongs to the rule of this name on the bus `group`, and has that one's targets.
    pub of_rule: bool,
    /// Its group.
    pub group: String,
    /// Its name, unique within the group.
    pub name: String,
    /// `rate(..)`, `cron(..)` or `at(..)`.
    pub expression: String,
    /// Name of the time zone that the expression is in.
    pub time_zone: String,
    /// Before this it is not due.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// After this it is not due.
    #[serde(default)]
    pub end: Option<Timestamp>,
    /// Whether it is due at all.
    pub enabled: bool,
    /// The target: a JSON object in the form of the API; empty for a rule.
    pub target: String,
    /// What somebody wrote about it.
    #[serde(default)]
    pub description: Option<String>,
    /// What becomes of times that passed while the server was down: `ONCE`, `SKIP` or `ALL`.
    pub missed: String,
    /// Whether it is deleted after its last time.
    #[serde(default)]
    pub delete_after: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was changed.
    pub modified_at: Timestamp,
    /// When it is due next; none: never again.
    #[serde(default)]
    pub next_due: Option<Timestamp>,
    /// When it was due last.
    #[serde(default)]
    pub last_due: Option<Timestamp>,
}

pub(super) fn key_of(schedule: &ScheduleRecord) -> Key {
    let kind = if schedule.of_rule { b'r' } else { b's' };
    let name = format!("{}\0{}", schedule.group, schedule.name);
    space::event_bus_key(kind, [&schedule.account, &schedule.region, &name])
}

impl Changes {
    /// Stores a schedule; `expected` is the version that was read, none for a new one.
    pub fn schedule(&mut self, schedule: &ScheduleRecord, expected: Option<u64>) -> Result<(), StoreError> {
        let key = key_of(schedule);
        self.expect(space::SCHEDULES, key.clone(), expected);
        self.put(space::SCHEDULES, key, encode(schedule)?);
        Ok(())
    }

    /// Removes a schedule as it was read.
    pub fn no_schedule(&mut self, schedule: &ScheduleRecord, version: u64) {
        let key = key_of(schedule);
        self.expect(space::SCHEDULES, key.clone(), Some(version));
        self.delete(space::SCHEDULES, key);
    }
}

impl Store {
    /// All schedules of all accounts with their versions.
    pub async fn schedules(&self) -> Result<Vec<(ScheduleRecord, u64)>, StoreError> {
        let mut found = Vec::new();
        let mut range = KeyRange::all();
        loop {
            let page =
                self.backend.scan(space::SCHEDULES, range.clone(), false, crate::limits::PAGE_ITEMS).await?;
            let Some((last, _)) = page.items.last() else { return Ok(found) };
            range = range.after(last);
            for (key, _) in &page.items {
                // Read one by one for the version, which a page does not tell.
                if let Some(stored) = self.backend.get(space::SCHEDULES, key).await? {
                    found.push((decode(space::SCHEDULES, key, &stored.value)?, stored.version));
                }
            }
        }
    }

    /// The schedule that has the place of this one, with its version.
    pub async fn schedule(&self, like: &ScheduleRecord) -> Result<Option<(ScheduleRecord, u64)>, StoreError> {
        let key = key_of(like);
        let found = self.backend.get(space::SCHEDULES, &key).await?;
        found.map(|found| Ok((decode(space::SCHEDULES, &key, &found.value)?, found.version))).transpose()
    }
}
