//! Stored deliveries: an event on its way to one target. It is there from the commit that accepts the event until the
//! target has it, or has been given up.
//!
//! A delivery lies under the time at which it is to be tried next; trying again moves it.

use super::changes::Changes;
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// An event on its way to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDeliveryRecord {
    /// When it is to be tried next.
    pub due: Timestamp,
    /// The same for the same event, rule and target.
    pub id: [u8; 16],
    /// The account whose rule it is, 12 digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// ARN of the rule or schedule.
    pub rule_arn: String,
    /// The event's id.
    pub event_id: String,
    /// The target: a JSON object in the form of the API.
    pub target: String,
    /// What it is to get.
    pub payload: String,
    /// When the event was accepted.
    pub accepted_at: Timestamp,
    /// How often it has been tried.
    #[serde(default)]
    pub attempts: u32,
    /// How often the event has gone from bus to bus.
    #[serde(default)]
    pub hops: u32,
}

fn key_of(delivery: &EventDeliveryRecord) -> Key {
    space::event_delivery_key(delivery.due, &delivery.id)
}

impl Changes {
    /// Adds a delivery.
    pub fn event_delivery(&mut self, delivery: &EventDeliveryRecord) -> Result<(), StoreError> {
        self.put(space::EVENT_DELIVERIES, key_of(delivery), encode(delivery)?);
        Ok(())
    }

    /// Removes a delivery.
    pub fn no_event_delivery(&mut self, delivery: &EventDeliveryRecord) {
        self.delete(space::EVENT_DELIVERIES, key_of(delivery));
    }
}

impl Store {
    /// The first deliveries in the order in which they are due, whether they are due or not.
    pub async fn event_deliveries(&self, limit: usize) -> Result<Vec<EventDeliveryRecord>, StoreError> {
        let page = self.backend.scan(space::EVENT_DELIVERIES, KeyRange::all(), false, limit).await?;
        page.items.iter().map(|(key, value)| decode(space::EVENT_DELIVERIES, key, value)).collect()
    }
}
