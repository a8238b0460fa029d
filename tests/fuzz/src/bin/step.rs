//! Fuzzes `step()`: a known machine and whatever may happen to its execution, in any order.
//!
//! The first byte of an input picks the machine; the checks say what the others mean.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepwell_fuzz::MACHINES;

fuzz_target!(|data: &[u8]| {
    stepwell_fuzz::remember(data);
    let Some((&pick, script)) = data.split_first() else { return };
    let machine = MACHINES[usize::from(pick) % MACHINES.len()];
    stepwell_fuzz::checks::step::check(machine.definition, machine.input, script);
});
