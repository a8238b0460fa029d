//! How often each operation of Step Functions may be called, as in AWS (API reference, section 5.3): for tests of how
//! clients behave when they are told to slow down. Off unless asked for.
//!
//! One token bucket for each account and operation. It must never count what an access key may do: that is `auth::rate`'s.

use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::api::error::ApiError;

/// Bucket and refill a second of the operations that have their own, as in the large regions.
const BUCKETS: [(&str, u32, u32); 18] = [
    ("DescribeActivity", 200, 1),
    ("DescribeExecution", 300, 15),
    ("DescribeMapRun", 200, 1),
    ("DescribeStateMachine", 200, 20),
    ("DescribeStateMachineAlias", 200, 1),
    ("DescribeStateMachineForExecution", 200, 1),
    ("GetActivityTask", 3_000, 500),
    ("GetExecutionHistory", 400, 20),
    ("ListActivities", 100, 10),
    ("ListExecutions", 200, 5),
    ("RedriveExecution", 1_300, 300),
    ("SendTaskFailure", 3_000, 500),
    ("SendTaskHeartbeat", 3_000, 500),
    ("SendTaskSuccess", 3_000, 500),
    ("StartExecution", 1_300, 300),
    ("StartSyncExecution", 6_000, 6_000),
    ("StopExecution", 1_000, 200),
    ("TestState", 50, 10),
];
/// Those of `TagResource` and `UntagResource`.
const TAGS: (u32, u32) = (200, 1);
/// Those of `ListStateMachines`.
const MACHINES: (u32, u32) = (100, 5);
/// Those of all others.
const OTHERS: (u32, u32) = (100, 1);

/// The buckets of all accounts.
pub(crate) struct Throttle(Vec<(&'static str, DefaultKeyedRateLimiter<String>)>);

impl Throttle {
    /// Full buckets for these operations.
    pub(crate) fn new(operations: impl Iterator<Item = &'static str>) -> Throttle {
        Throttle(operations.map(|operation| (operation, RateLimiter::keyed(quota(operation)))).collect())
    }

    /// Takes one call of an operation. Errors: `Throttling`.
    pub(crate) fn take(&self, operation: &str, account: &str) -> Result<(), ApiError> {
        let Some((_, buckets)) = self.0.iter().find(|(name, _)| *name == operation) else { return Ok(()) };
        buckets.check_key(&account.to_owned()).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            tracing::debug!(operation, ?wait, "throttled as in AWS");
            ApiError::Throttling
        })
    }
}

fn quota(operation: &str) -> Quota {
    let (bucket, refill) = match operation {
        "TagResource" | "UntagResource" => TAGS,
        "ListStateMachines" => MACHINES,
        _ => BUCKETS
            .iter()
            .find(|(name, _, _)| *name == operation)
            .map_or(OTHERS, |(_, bucket, refill)| (*bucket, *refill)),
    };
    let number = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(number(refill)).allow_burst(number(bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_belongs_to_an_operation_and_an_account() {
        let throttle = Throttle::new(["CreateActivity", "TestState"].into_iter());
        let taken =
            |operation, account| (0..1_000).take_while(|_| throttle.take(operation, account).is_ok()).count();
        assert!((50..150).contains(&taken("TestState", "111111111111")));
        assert!((100..200).contains(&taken("CreateActivity", "111111111111")));
        assert!((50..150).contains(&taken("TestState", "222222222222")));
        assert_eq!(taken("Unknown", "111111111111"), 1_000);
    }
}
