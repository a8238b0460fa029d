//! What the embedded backends share. It must never name a type of one engine.

pub use crate::sled::{Counters, Disk, RealDisk};
