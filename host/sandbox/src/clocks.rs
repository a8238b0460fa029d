//! The clocks and random numbers that a manifest asks for, where they are not wasmtime's own.

use crate::digest::Digest;
use crate::manifest::{ClockGrant, RandomGrant};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// The step of the coarse clock.
const COARSE: Duration = Duration::from_millis(1);
/// Where monotonic clocks begin: Go's runtime breaks off when one shows zero.
const BEGINNING: Duration = Duration::from_secs(1);

/// Gives the module its clocks. Its wall clock is `ahead` of the host's, where time is virtual.
pub(crate) fn grant_clock(builder: &mut WasiCtxBuilder, clock: ClockGrant, ahead: Duration) {
    match clock {
        ClockGrant::Coarse => builder.wall_clock(Coarse::new(ahead)).monotonic_clock(Coarse::new(ahead)),
        ClockGrant::Fixed => builder.wall_clock(Fixed::new(ahead)).monotonic_clock(Fixed::new(ahead)),
        ClockGrant::Precise if ahead > Duration::ZERO => builder.wall_clock(Ahead(ahead)),
        ClockGrant::Precise => builder,
    };
}

/// Gives the module its random numbers; the idempotency key seeds those that are to come out again.
pub(crate) fn grant_random(builder: &mut WasiCtxBuilder, random: RandomGrant, idempotency_key: &str) {
    match random {
        RandomGrant::Secure => {}
        RandomGrant::Seeded => {
            let seed = *Digest::of(idempotency_key.as_bytes()).bytes();
            let half = u128::from_le_bytes(std::array::from_fn(|index| seed[index]));
            builder
                .secure_random(StdRng::from_seed(seed))
                .insecure_random(StdRng::from_seed(seed))
                .insecure_random_seed(half);
        }
    }
}

/// The host's time, rounded down.
struct Coarse {
    began: Instant,
    ahead: Duration,
}

impl Coarse {
    fn new(ahead: Duration) -> Self {
        Self { began: Instant::now(), ahead }
    }
}

impl HostWallClock for Coarse {
    fn resolution(&self) -> Duration {
        COARSE
    }

    fn now(&self) -> Duration {
        rounded(since_epoch() + self.ahead)
    }
}

impl HostMonotonicClock for Coarse {
    fn resolution(&self) -> u64 {
        nanoseconds(COARSE)
    }

    fn now(&self) -> u64 {
        nanoseconds(BEGINNING + rounded(self.began.elapsed()))
    }
}

/// One moment.
struct Fixed {
    now: Duration,
}

impl Fixed {
    fn new(ahead: Duration) -> Self {
        Self { now: rounded(since_epoch() + ahead) }
    }
}

impl HostWallClock for Fixed {
    fn resolution(&self) -> Duration {
        COARSE
    }

    fn now(&self) -> Duration {
        self.now
    }
}

impl HostMonotonicClock for Fixed {
    fn resolution(&self) -> u64 {
        nanoseconds(COARSE)
    }

    fn now(&self) -> u64 {
        nanoseconds(BEGINNING)
    }
}

/// The host's time and what has been skipped, not rounded.
struct Ahead(Duration);

impl HostWallClock for Ahead {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        since_epoch() + self.0
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_clock_shows_whole_milliseconds() {
        let clock = Coarse::new(Duration::ZERO);
        assert_eq!(HostWallClock::now(&clock).subsec_nanos() % 1_000_000, 0);
        let now = HostMonotonicClock::now(&clock);
        assert!(now.is_multiple_of(1_000_000) && now > 0, "{now}");
    }

    #[test]
    fn a_fixed_clock_stands_still() {
        let clock = Fixed::new(Duration::ZERO);
        let first = HostWallClock::now(&clock);
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!((HostWallClock::now(&clock), HostMonotonicClock::now(&clock)), (first, 1_000_000_000));
    }

    #[test]
    fn wall_clocks_are_ahead_by_what_was_skipped() {
        let year = Duration::from_hours(365 * 24);
        let before = since_epoch() + year;
        let clocks: [&dyn HostWallClock; 3] = [&Coarse::new(year), &Fixed::new(year), &Ahead(year)];
        for clock in clocks {
            let shown = clock.now();
            assert!(before <= shown + COARSE && shown <= since_epoch() + year);
        }
    }
}
