//! The memory and tables of one call: wasmtime asks here before it creates or enlarges one.
//!
//! A memory beyond the limit is an error, not a refusal: a guest that is merely refused aborts somewhere in its own
//! allocator, and nobody learns why.

use crate::slots::Held;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::ResourceLimiter;

/// Counts the linear memory of a call, all its memories together, and the entries of its tables.
pub(crate) struct MemoryBudget {
    limit_bytes: u64,
    used_bytes: u64,
    /// What the host has set aside for this call so far.
    reserved_bytes: u64,
    reserve: Arc<Mutex<Held>>,
    table_limit: u64,
    table_elements: u64,
}

/// What ends a call that wants too much. It travels through wasmtime and comes out in `failure.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MemoryExceeded {
    #[error("{wanted_bytes} bytes of memory wanted, {limit_bytes} allowed")]
    Own { wanted_bytes: u64, limit_bytes: u64 },
    #[error("{wanted_bytes} bytes of memory wanted, and the host has no more")]
    Host { wanted_bytes: u64 },
    #[error("{wanted} table entries wanted, {limit} allowed")]
    Tables { wanted: u64, limit: u64 },
}

impl MemoryBudget {
    /// Starts with nothing used.
    pub(crate) fn new(limit_bytes: u64, table_limit: u64, reserve: Arc<Mutex<Held>>) -> Self {
        let reserved_bytes = reserve.lock().unwrap_or_else(PoisonError::into_inner).memory_bytes();
        Self { limit_bytes, used_bytes: 0, reserved_bytes, reserve, table_limit, table_elements: 0 }
    }

    /// Returns how much memory the call came to use, in bytes.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown_bytes = desired.saturating_sub(current) as u64;
        let wanted_bytes = self.used_bytes.saturating_add(grown_bytes);
        if wanted_bytes > self.limit_bytes {
            return Err(MemoryExceeded::Own { wanted_bytes, limit_bytes: self.limit_bytes }.into());
        }
        if let Some(lacking_bytes) =
            wanted_bytes.checked_sub(self.reserved_bytes).filter(|lacking| *lacking > 0)
        {
            if !self.reserve.lock().unwrap_or_else(PoisonError::into_inner).grow(lacking_bytes) {
                return Err(MemoryExceeded::Host { wanted_bytes }.into());
            }
            self.reserved_bytes = wanted_bytes;
        }
        self.used_bytes = wanted_bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.table_elements.saturating_add(desired.saturating_sub(current) as u64);
        if wanted > self.table_limit {
            return Err(MemoryExceeded::Tables { wanted, limit: self.table_limit }.into());
        }
        self.table_elements = wanted;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::{Share, Slots};

    /// A budget of 100 bytes and 10 entries; the host has that much memory.
    async fn budget(host_bytes: u64) -> MemoryBudget {
        let slots = Slots::new(Share { slots: 1, memory_bytes: host_bytes }, 0);
        let held = slots.acquire(&Arc::from("a"), Share { slots: 1, memory_bytes: 0 }).await.unwrap();
        MemoryBudget::new(100, 10, Arc::new(Mutex::new(held)))
    }

    fn exceeded(result: wasmtime::Result<bool>) -> MemoryExceeded {
        *result.unwrap_err().downcast_ref::<MemoryExceeded>().unwrap()
    }

    #[tokio::test]
    async fn counts_all_memories_together() {
        let mut budget = budget(1_000).await;
        assert!(budget.memory_growing(0, 60, None).unwrap());
        assert!(budget.memory_growing(0, 30, None).unwrap());
        assert!(budget.memory_growing(60, 70, None).unwrap());
        let expected = MemoryExceeded::Own { wanted_bytes: 101, limit_bytes: 100 };
        assert_eq!(exceeded(budget.memory_growing(30, 31, None)), expected);
        assert_eq!(budget.used_bytes(), 100);
    }

    #[tokio::test]
    async fn ends_where_the_host_has_no_more() {
        let mut budget = budget(50).await;
        assert!(budget.memory_growing(0, 50, None).unwrap());
        let expected = MemoryExceeded::Host { wanted_bytes: 51 };
        assert_eq!(exceeded(budget.memory_growing(50, 51, None)), expected);
    }

    #[tokio::test]
    async fn counts_all_tables_together() {
        let mut budget = budget(0).await;
        assert!(budget.table_growing(0, 6, None).unwrap());
        let expected = MemoryExceeded::Tables { wanted: 11, limit: 10 };
        assert_eq!(exceeded(budget.table_growing(0, 5, None)), expected);
        assert!(budget.table_growing(0, 4, None).unwrap());
    }
}
