//! Takes its time, with signs of life.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use stepwell::TaskError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pace {
    beats: u32,
    pause_milliseconds: u64,
}

#[derive(Serialize)]
struct Done {
    beats: u32,
}

#[stepwell::task]
fn slow(pace: Pace) -> Result<Done, TaskError> {
    for _ in 0..pace.beats {
        stepwell::heartbeat();
        std::thread::sleep(Duration::from_millis(pace.pause_milliseconds));
    }
    Ok(Done { beats: pace.beats })
}
