//! Stored event buses and their rules, and how far status changes of executions have been told.
//!
//! A bus is its account's in its region under its name; it must never be found by another account. A rule's targets are
//! one text with the rule: what a rule does is read and changed as a whole.

use super::changes::Changes;
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// An event bus (EventBridge API: EventBus). The bus `default` needs no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBusRecord {
    /// The account that it belongs to, 12 digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// Its name, unique within account and region.
    pub name: String,
    /// What somebody wrote about it.
    #[serde(default)]
    pub description: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A rule of a bus (EventBridge API: Rule).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRuleRecord {
    /// The account that it belongs to, 12 digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// The name of its bus.
    pub bus: String,
    /// Its name, unique within the bus.
    pub name: String,
    /// The events that it wants: JSON text; none of a rule that has a schedule alone.
    #[serde(default)]
    pub pattern: Option<String>,
    /// When it is due by itself: `rate(..)` or `cron(..)`.
    #[serde(default)]
    pub schedule: Option<String>,
    /// Whether it does anything.
    pub enabled: bool,
    /// What somebody wrote about it.
    #[serde(default)]
    pub description: Option<String>,
    /// Kept as given.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// Its targets: a JSON array in the form of the API.
    pub targets: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A record of the space, which has three kinds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum BusSpaceRecord {
    /// A bus.
    Bus(EventBusRecord),
    /// A rule.
    Rule(EventRuleRecord),
    /// Until when the ends of executions have been told, on this account's default bus.
    Told(StatusChangesTold),
}

/// Up to when the ends of an account's executions have become events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChangesTold {
    /// The account, 12 digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// What ended before is told; what ended from then on may be.
    pub until: Timestamp,
}

impl BusSpaceRecord {
    /// Where it lies.
    pub(super) fn key(&self) -> Key {
        match self {
            BusSpaceRecord::Bus(bus) => space::event_bus_key(b'b', [&bus.account, &bus.region, &bus.name]),
            BusSpaceRecord::Rule(rule) => rule_key(rule),
            BusSpaceRecord::Told(told) => space::event_bus_key(b't', [&told.account, &told.region, ""]),
        }
    }
}

fn rule_key(rule: &EventRuleRecord) -> Key {
    let bus = format!("{}\0{}", rule.bus, rule.name);
    space::event_bus_key(b'r', [&rule.account, &rule.region, &bus])
}

impl Changes {
    /// Stores a bus; `expected` is the version that was read, none for a new one.
    pub fn event_bus(&mut self, bus: &EventBusRecord, expected: Option<u64>) -> Result<(), StoreError> {
        self.in_bus_space(&BusSpaceRecord::Bus(bus.clone()), Some(expected))
    }

    /// Stores a rule; `expected` is the version that was read, none for a new one.
    pub fn event_rule(&mut self, rule: &EventRuleRecord, expected: Option<u64>) -> Result<(), StoreError> {
        self.in_bus_space(&BusSpaceRecord::Rule(rule.clone()), Some(expected))
    }

    /// Remembers how far status changes are told.
    pub fn status_changes_told(&mut self, told: &StatusChangesTold) -> Result<(), StoreError> {
        self.in_bus_space(&BusSpaceRecord::Told(told.clone()), None)
    }

    /// Removes a bus.
    pub fn no_event_bus(&mut self, bus: &EventBusRecord) {
        self.delete(space::EVENT_BUSES, BusSpaceRecord::Bus(bus.clone()).key());
    }

    /// Removes a rule as it was read.
    pub fn no_event_rule(&mut self, rule: &EventRuleRecord, version: u64) {
        let key = rule_key(rule);
        self.expect(space::EVENT_BUSES, key.clone(), Some(version));
        self.delete(space::EVENT_BUSES, key);
    }

    /// `expected`: none for whatever is there, else the version that must be there, if any.
    #[allow(clippy::option_option)] // whatever, nothing, this version: three cases
    fn in_bus_space(
        &mut self,
        record: &BusSpaceRecord,
        expected: Option<Option<u64>>,
    ) -> Result<(), StoreError> {
        let key = record.key();
        if let Some(version) = expected {
            self.expect(space::EVENT_BUSES, key.clone(), version);
        }
        self.put(space::EVENT_BUSES, key, encode(record)?);
        Ok(())
    }
}

impl Store {
    /// All buses of all accounts.
    pub async fn event_buses(&self) -> Result<Vec<(EventBusRecord, u64)>, StoreError> {
        let found = self.bus_space(b'b').await?.into_iter().filter_map(|(record, version)| match record {
            BusSpaceRecord::Bus(bus) => Some((bus, version)),
            BusSpaceRecord::Rule(_) | BusSpaceRecord::Told(_) => None,
        });
        Ok(found.collect())
    }

    /// All rules of all accounts with their versions.
    pub async fn event_rules(&self) -> Result<Vec<(EventRuleRecord, u64)>, StoreError> {
        let found = self.bus_space(b'r').await?.into_iter().filter_map(|(record, version)| match record {
            BusSpaceRecord::Rule(rule) => Some((rule, version)),
            BusSpaceRecord::Bus(_) | BusSpaceRecord::Told(_) => None,
        });
        Ok(found.collect())
    }

    /// The version of a rule that is there.
    pub async fn event_rule_version(&self, rule: &EventRuleRecord) -> Result<Option<u64>, StoreError> {
        let key = rule_key(rule);
        Ok(self.backend.get(space::EVENT_BUSES, &key).await?.map(|stored| stored.version))
    }

    /// How far status changes are told, of all accounts.
    pub async fn told_status_changes(&self) -> Result<Vec<StatusChangesTold>, StoreError> {
        let found = self.bus_space(b't').await?.into_iter().filter_map(|(record, _)| match record {
            BusSpaceRecord::Told(told) => Some(told),
            BusSpaceRecord::Bus(_) | BusSpaceRecord::Rule(_) => None,
        });
        Ok(found.collect())
    }

    async fn bus_space(&self, kind: u8) -> Result<Vec<(BusSpaceRecord, u64)>, StoreError> {
        let mut found = Vec::new();
        let mut range = KeyRange::prefix(vec![kind]);
        loop {
            let page = self
                .backend
                .scan(space::EVENT_BUSES, range.clone(), false, crate::limits::PAGE_ITEMS)
                .await?;
            let Some((last, _)) = page.items.last() else { return Ok(found) };
            range = range.after(last);
            for (key, _) in &page.items {
                // Read one by one for the version, which a page does not tell.
                if let Some(stored) = self.backend.get(space::EVENT_BUSES, key).await? {
                    found.push((decode(space::EVENT_BUSES, key, &stored.value)?, stored.version));
                }
            }
        }
    }
}
