//! Map runs: distributed Map states, whose iterations are executions of their own (specification, "Map State", Mode
//! DISTRIBUTED).
//!
//! `items.rs` is where items come from that lie outside of the execution, `results.rs` where results go.

mod items;
mod results;

pub use items::{Item, ItemSource, ItemSources, NoItemSources, Read, ReadRequest, SourceError};
pub use results::{NoResultSinks, ResultKind, ResultRecord, ResultSink, ResultSinks, WriteRequest, Written};
