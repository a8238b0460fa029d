//! Keeps the input that is being tried in a file, because the fuzzer cannot save the one that kills it without
//! a signal handler: a stack overflow, or the kernel's out-of-memory killer. Must never slow a target notably.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::sync::{Mutex, OnceLock};

/// Names the file. `run.sh` sets it; without it nothing is kept.
const VARIABLE: &str = "FUZZ_LAST_INPUT";

/// Writes `data` over the input of the run before.
pub fn remember(data: &[u8]) {
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = std::env::var_os(VARIABLE)?;
        File::create(path).ok().map(Mutex::new)
    });
    let Some(Ok(mut file)) = file.as_ref().map(Mutex::lock) else { return };
    // A lost input is a pity, no reason to stop.
    let length = u64::try_from(data.len()).unwrap_or(0);
    let _ = file.rewind().and_then(|()| file.write_all(data)).and_then(|()| file.set_len(length));
}
