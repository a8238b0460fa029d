//! The generated host side of world `task`, from the same `wit/task.wit` that the SDKs read.
//!
//! Only this crate may see these types.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "task",
    imports: { default: trappable },
    exports: { default: async },
});
