//! How many requests an access key may make: a token bucket each.
//!
//! Only requests whose signature is right take from it, so that nobody can use up what belongs to another.

use std::num::NonZeroU32;
use std::str::FromStr;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::AuthError;

/// `N[/s|/m][:BURST]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimit(Quota);

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<RateLimit, String> {
        let wrong = || "give N, N/s or N/m, with :BURST behind it if you like, like 50/s:200".to_owned();
        let (rate, burst) = match text.split_once(':') {
            Some((rate, burst)) => (rate, Some(burst.parse::<NonZeroU32>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let (number, unit) = rate.split_once('/').unwrap_or((rate, "s"));
        let number: NonZeroU32 = number.parse().map_err(|_| wrong())?;
        let quota = match unit {
            "s" => Quota::per_second(number),
            "m" => Quota::per_minute(number),
            _ => return Err(wrong()),
        };
        Ok(RateLimit(burst.map_or(quota, |burst| quota.allow_burst(burst))))
    }
}

/// What is left of a key's requests.
pub(crate) struct Bucket(DefaultDirectRateLimiter);

impl Bucket {
    pub(crate) fn new(limit: RateLimit) -> Bucket {
        Bucket(RateLimiter::direct(limit.0))
    }

    /// Takes one request. Errors: `RateExceeded`.
    pub(crate) fn take(&self) -> Result<(), AuthError> {
        self.0.check().map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            let retry_after_milliseconds =
                u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
            AuthError::RateExceeded { retry_after_milliseconds }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let expected = RateLimit(Quota::per_second(number(50)).allow_burst(number(200)));
        assert_eq!("50/s:200".parse(), Ok(expected));
        assert_eq!("50".parse(), Ok(RateLimit(Quota::per_second(number(50)))));
        assert_eq!("7/m".parse(), Ok(RateLimit(Quota::per_minute(number(7)))));
        for wrong in ["", "0", "0/s", "1/h", "x", "1:0", "1/s:", "-1", "1.5"] {
            assert!(wrong.parse::<RateLimit>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bucket_is_emptied_by_its_burst_and_says_when_to_come_back() {
        let bucket = Bucket::new("1/m:3".parse().unwrap());
        for _ in 0..3 {
            bucket.take().unwrap();
        }
        let Err(AuthError::RateExceeded { retry_after_milliseconds }) = bucket.take() else {
            panic!("a fourth request was let through")
        };
        assert!((1..=60_001).contains(&retry_after_milliseconds), "{retry_after_milliseconds}");
    }
}
