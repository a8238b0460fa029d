//! The memory of one call: wasmtime asks here before it creates or enlarges a memory or a table.
//!
//! A memory beyond the limit is an error, not a refusal: a guest that is merely refused aborts somewhere in its own
//! allocator, and nobody learns why.

use crate::limits;
use wasmtime::ResourceLimiter;

/// Counts the linear memory of a call, all its memories together.
pub(crate) struct MemoryBudget {
    limit_bytes: u64,
    used_bytes: u64,
}

/// What ends a call that wants too much. It travels through wasmtime and comes out in `failure.rs`.
#[derive(Debug, thiserror::Error)]
#[error("{wanted_bytes} bytes of memory wanted, {limit_bytes} allowed")]
pub(crate) struct MemoryExceeded {
    pub(crate) wanted_bytes: u64,
    pub(crate) limit_bytes: u64,
}

impl MemoryBudget {
    /// Starts with nothing used.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, used_bytes: 0 }
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
            return Err(MemoryExceeded { wanted_bytes, limit_bytes: self.limit_bytes }.into());
        }
        self.used_bytes = wanted_bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= limits::MAX_TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_memories_together() {
        let mut budget = MemoryBudget::new(100);
        assert!(budget.memory_growing(0, 60, None).unwrap());
        assert!(budget.memory_growing(0, 30, None).unwrap());
        assert!(budget.memory_growing(60, 70, None).unwrap());
        let error = budget.memory_growing(30, 31, None).unwrap_err();
        assert_eq!(error.downcast_ref::<MemoryExceeded>().unwrap().wanted_bytes, 101);
    }

    #[test]
    fn tables_are_refused_beyond_their_bound() {
        let mut budget = MemoryBudget::new(0);
        assert!(budget.table_growing(0, limits::MAX_TABLE_ELEMENTS, None).unwrap());
        assert!(!budget.table_growing(0, limits::MAX_TABLE_ELEMENTS + 1, None).unwrap());
    }
}
