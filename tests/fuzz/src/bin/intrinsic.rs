//! Fuzzes what may stand behind a `.$` key: intrinsic functions and paths, run by a Pass state.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    stepwell_fuzz::remember(data);
    stepwell_fuzz::checks::intrinsic::check(&String::from_utf8_lossy(data));
});
