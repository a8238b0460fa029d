//! The generated host side of world `evaluator`, from the same WIT file that the guest reads.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "guest/wit",
    world: "evaluator",
    ownership: Borrowing { duplicate_if_necessary: false },
    exports: { default: async },
});
