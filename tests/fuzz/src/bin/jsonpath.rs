//! Fuzzes the JSONPath engine: any path text on any document, within bounded time.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    stepwell_fuzz::remember(data);
    stepwell_fuzz::checks::jsonpath::check(&String::from_utf8_lossy(data));
});
