//! Fuzzes JSONata expressions: parsed, looked through, run by a Pass state with an evaluator that throws dice.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    stepwell_fuzz::remember(data);
    stepwell_fuzz::checks::expression::check(&String::from_utf8_lossy(data));
});
