//! Fuzzes definitions: whatever text comes, the parser answers, and what it accepts can be run.
//!
//! Half of the mutations work on the JSON tree, so that the states themselves are fuzzed and not only the commas.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| {
    stepwell_fuzz::remember(data);
    stepwell_fuzz::checks::definition::check(&String::from_utf8_lossy(data));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    stepwell_fuzz::mutate_json(data, size, max_size, seed, fuzzer_mutate)
});
