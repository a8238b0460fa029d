//! Every bound of an evaluation, by name, with its reason.

/// Work of one evaluation, in wasmtime's fuel: about one instruction of WebAssembly each. A usual expression needs some
/// tens of thousands; this took 0.5 seconds for most hostile ones when measured, 2 for those that only wait for memory.
/// Fuel, unlike a clock, runs out at the same place whenever and wherever the expression is evaluated.
pub const FUEL: u64 = 3_000_000_000;

/// Work after which a warm instance gives up for a fresh one with [`FUEL`]. Less than that, by more than parsing the
/// longest expression costs: so what a warm instance still finishes, a fresh one would too, and the outcome never
/// depends on what was evaluated before.
pub(crate) const WARM_FUEL: u64 = FUEL / 2;

/// Longest expression in bytes. Step Functions allows 1 MiB for a whole definition.
pub const MAX_EXPRESSION_BYTES: usize = 1 << 20;

/// Memory of one evaluation in bytes: room for the largest variables (10 MiB a state machine) several times over, as
/// parsed values take about ten times their text.
pub const MAX_MEMORY_BYTES: usize = 256 << 20;

/// Elements of a table: the functions of the evaluator that are called by pointer, some thousands.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 20_000;

/// Levels of nested evaluation before the evaluator says D1011; a call of a function that is no tail call takes three.
pub const MAX_EVALUATION_DEPTH: u32 = 9_000;

/// Stack of the WebAssembly code in bytes: so much that [`MAX_EVALUATION_DEPTH`] comes first. Only the pages that are
/// used take memory.
pub(crate) const MAX_WASM_STACK_BYTES: usize = 48 << 20;

/// Stack on which the code runs, with what the host's functions need on top.
pub(crate) const FIBRE_STACK_BYTES: usize = MAX_WASM_STACK_BYTES + (1 << 20);

/// Longest answer in bytes of JSON text. A state's data is bounded by 256 KiB, all variables by 10 MiB.
pub const MAX_ANSWER_BYTES: u32 = 16 << 20;

/// Levels of nested arrays and objects in an answer: the host's reader of JSON takes 127, and an answer is put into a
/// document.
pub const MAX_ANSWER_DEPTH: u32 = 120;

/// Ticks of a millisecond after which an evaluation is slow. The first comes early, so it is at least three and at most
/// four milliseconds: the first use of a built-in function in a fresh instance takes two. Time, not work: filling memory
/// is little work and takes long.
pub(crate) const SLOW_TICKS: u64 = 4;

/// Ticks after which a slow evaluation says so again.
pub(crate) const TURN_TICKS: u64 = 5;

/// Times that an evaluation may hand back control: a guest that waits for something would do it for ever. One that
/// works ends by its fuel long before, however slow the machine is.
pub(crate) const MAX_YIELDS: u32 = 1_000_000;

/// Warm instances that are kept. More threads than this seldom evaluate at the same time, and a fresh one takes
/// some tens of microseconds.
pub(crate) const WARM_INSTANCES: usize = 16;

/// Memory beyond which an instance is not kept: it holds a few MiB at rest.
pub(crate) const WARM_MEMORY_BYTES: usize = 24 << 20;

/// Work beyond which an instance is not kept: what it may have left on its stack and in its heap is worth more than a
/// fresh one costs. The first use of a built-in function costs an instance 12 million: the evaluator then prepares the
/// signatures of all of them.
pub(crate) const WARM_WORK: u64 = 50_000_000;

/// Longest text that the guest may write about a fault of its own, in bytes.
pub(crate) const MAX_FAULT_BYTES: usize = 16 << 10;
