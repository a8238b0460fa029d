//! Records that belong to no stored execution: owed Express executions, machines and their definitions, modules, secrets,
//! access keys, activities, the epochs of shards.

use super::{Check, Pages, ProblemKind};
use crate::batch::{Key, Space, epoch_of};
use crate::error::StoreError;
use crate::records::access_key::AccessKeyRecord;
use crate::records::activity::ActivityRecord;
use crate::records::connection::ConnectionRecord;
use crate::records::event_bus::BusSpaceRecord;
use crate::records::event_delivery::EventDeliveryRecord;
use crate::records::express::ExpressRecord;
use crate::records::log_group::LogGroupRecord;
use crate::records::machine::MachineRecord;
use crate::records::machine_alias::MachineAliasRecord;
use crate::records::machine_version::MachineVersionRecord;
use crate::records::module::{ModuleAliasRecord, ModuleRecord, ModuleVersionRecord};
use crate::records::module_past::ModulePastRecord;
use crate::records::schedule::{self, ScheduleRecord};
use crate::records::secret::SecretRecord;
use crate::records::space;
use crate::records::store::decode;
use crate::records::tags::TagsRecord;
use crate::records::webhook::WebhookRecord;
use serde::de::DeserializeOwned;

impl Check<'_> {
    /// Machines, and that the definition of each is there.
    pub(super) async fn machines(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::MACHINES);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let place = (space::MACHINES, &*key);
                let record = decode::<MachineRecord>(place.0, &key, &value);
                let Some(record) = self.keep(ProblemKind::Unreadable, place, record)? else { continue };
                self.is_under(place, record.arn.as_bytes());
                let definition = space::definition_key(record.id, record.revision);
                if !self.is_there(space::DEFINITIONS, &definition).await? {
                    let detail = format!("the definition of {} is missing", record.arn);
                    self.problem(ProblemKind::Definition, space::DEFINITIONS, &definition, detail);
                }
            }
        }
        Ok(())
    }

    /// Versions of machines, and that the definition of each is there; aliases, and that what they name is.
    pub(super) async fn machine_versions(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::MACHINE_VERSIONS);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let place = (space::MACHINE_VERSIONS, &*key);
                let record = decode::<MachineVersionRecord>(place.0, &key, &value);
                let Some(record) = self.keep(ProblemKind::Unreadable, place, record)? else { continue };
                self.is_under(place, &space::machine_version_key(record.machine, record.number));
                let definition = space::definition_key(record.machine, record.revision);
                if !self.is_there(space::DEFINITIONS, &definition).await? {
                    let detail = format!("the definition of version {} is missing", record.number);
                    self.problem(ProblemKind::Definition, space::DEFINITIONS, &definition, detail);
                }
            }
        }
        let mut pages = Pages::of(space::MACHINE_ALIASES);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let place = (space::MACHINE_ALIASES, &*key);
                let record = decode::<MachineAliasRecord>(place.0, &key, &value);
                let Some(record) = self.keep(ProblemKind::Unreadable, place, record)? else { continue };
                self.is_under(place, &space::machine_alias_key(record.machine, &record.name));
                for route in record.routes {
                    let version = space::machine_version_key(record.machine, route.version);
                    if !self.is_there(space::MACHINE_VERSIONS, &version).await? {
                        let detail = format!("version {}, which it names, is not there", route.version);
                        self.problem(ProblemKind::Orphan, space::MACHINE_ALIASES, &key, detail);
                    }
                }
            }
        }
        Ok(())
    }

    /// Tags. Those of something that is gone are no fault: whoever takes its ARN removes them.
    pub(super) async fn tags(&mut self) -> Result<(), StoreError> {
        self.each(space::TAGS, |record: &TagsRecord| (record.arn.clone().into(), None)).await
    }

    /// Definitions: JSON texts. Those that nothing uses any more are no fault.
    pub(super) async fn definitions(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::DEFINITIONS);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                if key.len() != 24 {
                    let detail = "the key names no machine and revision";
                    self.problem(ProblemKind::Unreadable, space::DEFINITIONS, &key, detail);
                } else if serde_json::from_slice::<serde::de::IgnoredAny>(&value).is_err() {
                    let detail = "the definition is no JSON";
                    self.problem(ProblemKind::Definition, space::DEFINITIONS, &key, detail);
                }
            }
        }
        Ok(())
    }

    /// Asynchronous Express executions that are owed, and that the definition of each is there.
    pub(super) async fn express(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::EXPRESS);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let place = (space::EXPRESS, &*key);
                if key.len() != 16 {
                    self.problem(ProblemKind::Unreadable, place.0, &key, "the key names no execution");
                    continue;
                }
                let record = decode::<ExpressRecord>(place.0, &key, &value);
                let Some(record) = self.keep(ProblemKind::Unreadable, place, record)? else { continue };
                let definition = space::definition_key(record.machine, record.revision);
                if !self.is_there(space::DEFINITIONS, &definition).await? {
                    let detail = format!("the definition of {} is missing", record.context.execution_arn);
                    self.problem(ProblemKind::Definition, space::DEFINITIONS, &definition, detail);
                }
            }
        }
        Ok(())
    }

    /// Modules with their versions and aliases.
    pub(super) async fn modules(&mut self) -> Result<(), StoreError> {
        self.each(space::MODULES, |record: &ModuleRecord| (record.name.clone().into(), None)).await?;
        self.each(space::VERSIONS, |record: &ModuleVersionRecord| {
            (space::version_key(&record.name, record.number), Some(record.name.clone()))
        })
        .await?;
        self.each(space::ALIASES, |record: &ModuleAliasRecord| {
            (space::alias_key(&record.name, &record.alias), Some(record.name.clone()))
        })
        .await?;
        // The module itself may be gone: executions that began before may still call it.
        self.each(space::MODULE_PASTS, |record: &ModulePastRecord| {
            (space::module_past_key(&record.name, &record.qualifier, record.until), None)
        })
        .await
    }

    /// Secrets, as they are sealed.
    pub(super) async fn secrets(&mut self) -> Result<(), StoreError> {
        self.each(space::SECRETS, |record: &SecretRecord| (record.name.clone().into(), None)).await
    }

    /// Access keys, their secrets as they are sealed.
    pub(super) async fn access_keys(&mut self) -> Result<(), StoreError> {
        self.each(space::ACCESS_KEYS, |record: &AccessKeyRecord| (record.id.clone().into(), None)).await
    }

    /// Log groups.
    pub(super) async fn log_groups(&mut self) -> Result<(), StoreError> {
        self.each(space::LOG_GROUPS, |record: &LogGroupRecord| {
            (space::log_group_key(&record.account, &record.name), None)
        })
        .await
    }

    /// Connections, their credentials as they are sealed.
    pub(super) async fn connections(&mut self) -> Result<(), StoreError> {
        self.each(space::CONNECTIONS, |record: &ConnectionRecord| {
            (space::connection_key(&record.account, &record.region, &record.name), None)
        })
        .await
    }

    /// Activities.
    pub(super) async fn activities(&mut self) -> Result<(), StoreError> {
        self.each(space::ACTIVITIES, |record: &ActivityRecord| (record.arn.clone().into(), None)).await
    }

    /// Event buses with their rules, events on their way, schedules, webhooks.
    pub(super) async fn events(&mut self) -> Result<(), StoreError> {
        self.each(space::EVENT_BUSES, |record: &BusSpaceRecord| (record.key(), None)).await?;
        self.each(space::EVENT_DELIVERIES, |record: &EventDeliveryRecord| {
            (space::event_delivery_key(record.due, &record.id), None)
        })
        .await?;
        self.each(space::SCHEDULES, |record: &ScheduleRecord| (schedule::key_of(record), None)).await?;
        self.each(space::WEBHOOKS, |record: &WebhookRecord| {
            (space::log_group_key(&record.account, &record.name), None)
        })
        .await
    }

    /// The epochs of shards.
    pub(super) async fn fences(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(Space::FENCES);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                if epoch_of(&value).is_none() {
                    self.problem(ProblemKind::Unreadable, Space::FENCES, &key, "it holds no epoch");
                }
            }
        }
        Ok(())
    }

    /// Reads the records of a space. `home` tells the key of one and the module that it belongs to.
    async fn each<T: DeserializeOwned>(
        &mut self,
        space: Space,
        home: impl Fn(&T) -> (Key, Option<String>),
    ) -> Result<(), StoreError> {
        let mut pages = Pages::of(space);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let record = decode::<T>(space, &key, &value);
                let Some(record) = self.keep(ProblemKind::Unreadable, (space, &key), record)? else {
                    continue;
                };
                let (own, module) = home(&record);
                // It must not be kept over the wait: not every record may be.
                drop(record);
                self.is_under((space, &key), &own);
                if let Some(module) = module
                    && !self.is_there(space::MODULES, module.as_bytes()).await?
                {
                    self.problem(ProblemKind::Orphan, space, &key, "its module is not there");
                }
            }
        }
        Ok(())
    }

    fn is_under(&mut self, (space, key): (Space, &[u8]), own: &[u8]) {
        if key != own {
            self.problem(ProblemKind::Misplaced, space, key, "it belongs under another key");
        }
    }
}
