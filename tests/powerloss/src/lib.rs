//! A power-loss rig: it watches every system call by which a store reaches its files, and rebuilds the directory as
//! a power cut at any moment could have left it, without what no completed sync had made durable.
//!
//! [`tracer`] turns a program's system calls into a [`trace::Trace`] in one total order; [`volatile`] says what of a
//! trace survives a cut; [`workload`] is the program under test; [`verdict`] and [`sync_order`] judge; [`rig`] ties
//! them together. It must never guess: a system call that it does not know ends the run with an error.
#![cfg(target_os = "linux")]

pub mod filter;
pub mod image;
pub mod knowledge;
pub mod note;
pub mod rig;
pub mod sync_order;
pub mod trace;
pub mod tracer;
pub mod verdict;
pub mod volatile;
pub mod workload;
