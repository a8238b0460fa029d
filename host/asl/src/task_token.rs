//! Task tokens: what names one waiting task to the world outside (specification, "The Context Object", Task.Token).
//!
//! A token follows from the execution and the work, so that a replay makes the same one, and it finds its execution by
//! itself. Only who has been given it can know it: its tag is made with a key of more than 120 random bits that each execution has
//! and nobody is shown. It must never say anything to who has no business with it, and never be compared in a time that
//! tells how much of it was right.

use crate::execution::{BranchId, ExecutionContext, WorkId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Length of a tag, in bytes: half a digest, so that nothing can be appended to what was signed.
const TAG_BYTES: usize = 16;

/// What signs the tokens of one execution. One without a key has no valid token.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenKey(u64, u64);

impl TokenKey {
    /// A key of these random bytes.
    pub fn new(random: [u8; 16]) -> TokenKey {
        let half = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        TokenKey(half(&random[..8]), half(&random[8..]))
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TokenKey(..)")
    }
}

/// A token that somebody brings back: whose it says that it is. Nothing of it is true before
/// [`TaskToken::is_genuine`] has said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskToken {
    execution_arn: String,
    work: WorkId,
    tag: [u8; TAG_BYTES],
}

impl TaskToken {
    /// The token of a task. At most 1,024 characters, because ARNs are shorter than 400 bytes.
    pub fn issue(context: &ExecutionContext, work: WorkId) -> String {
        let name = name(&context.execution_arn, work);
        URL_SAFE_NO_PAD.encode([name.as_bytes(), b"#", &tag(context, &name)].concat())
    }

    /// Reads a token; none of what has not the form of one.
    pub fn parse(token: &str) -> Option<TaskToken> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (name, tag) = bytes.split_last_chunk::<TAG_BYTES>()?;
        let name = str::from_utf8(name.strip_suffix(b"#")?).ok()?;
        let mut sections = name.rsplitn(3, '#');
        let serial = sections.next()?.parse().ok()?;
        let branch = BranchId(sections.next()?.parse().ok()?);
        let execution_arn = sections.next()?.to_owned();
        Some(TaskToken { execution_arn, work: WorkId { branch, serial }, tag: *tag })
    }

    /// Of which execution it says to be.
    pub fn execution_arn(&self) -> &str {
        &self.execution_arn
    }

    /// Which task it says to name.
    pub fn work(&self) -> WorkId {
        self.work
    }

    /// Whether an execution with this context has issued it.
    pub fn is_genuine(&self, context: &ExecutionContext) -> bool {
        let right = tag(context, &name(&self.execution_arn, self.work));
        let difference =
            self.tag.iter().zip(right).fold(0, |difference, (one, other)| difference | (one ^ other));
        context.token_key != TokenKey::default()
            && self.execution_arn == context.execution_arn
            && difference == 0
    }
}

fn name(execution_arn: &str, work: WorkId) -> String {
    format!("{execution_arn}#{}#{}", work.branch.0, work.serial)
}

fn tag(context: &ExecutionContext, name: &str) -> [u8; TAG_BYTES] {
    let TokenKey(first, second) = context.token_key;
    let mut digest = Sha256::new();
    digest.update(first.to_be_bytes());
    digest.update(second.to_be_bytes());
    digest.update(name.as_bytes());
    let digest = digest.finalize();
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::Execution;

    const ARN: &str = "arn:aws:states:us-east-1:123456789012:execution:m:e";
    const WORK: WorkId = WorkId { branch: BranchId(3), serial: 12 };

    fn context(key: u8) -> ExecutionContext {
        let mut context = Execution::placeholder().context;
        context.execution_arn = ARN.to_owned();
        context.token_key = TokenKey::new([key; 16]);
        context
    }

    #[test]
    fn a_token_finds_its_way_back() {
        let token = TaskToken::parse(&TaskToken::issue(&context(1), WORK)).unwrap();
        assert_eq!((token.execution_arn(), token.work()), (ARN, WORK));
        assert!(token.is_genuine(&context(1)));
    }

    #[test]
    fn no_change_of_a_token_is_genuine() {
        let token = TaskToken::issue(&context(1), WORK);
        for index in 0..token.len() {
            for other in "AQgw_".chars().filter(|other| !token[index..].starts_with(*other)) {
                let mut changed = token.clone();
                changed.replace_range(index..=index, &other.to_string());
                let genuine = TaskToken::parse(&changed).is_some_and(|token| token.is_genuine(&context(1)));
                assert!(!genuine, "{changed}");
            }
        }
    }

    #[test]
    fn only_the_execution_that_issued_it_knows_a_token() {
        let token = TaskToken::parse(&TaskToken::issue(&context(1), WORK)).unwrap();
        assert!(!token.is_genuine(&context(2)));
        let other = ExecutionContext { execution_arn: format!("{ARN}2"), ..context(1) };
        assert!(!token.is_genuine(&other));
        // Without a key everybody could make one.
        let keyless = ExecutionContext { token_key: TokenKey::default(), ..context(1) };
        let token = TaskToken::parse(&TaskToken::issue(&keyless, WORK)).unwrap();
        assert!(!token.is_genuine(&keyless));
    }

    #[test]
    fn what_is_no_token_is_told() {
        for wrong in ["", "x", "not base64!", "AAAA", "YSMxIzIj", &"A".repeat(2_000)] {
            assert_eq!(TaskToken::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_longest_token_fits() {
        let mut context = context(1);
        context.execution_arn = "é".repeat(200);
        let work = WorkId { branch: BranchId(u64::MAX), serial: u64::MAX };
        assert!(TaskToken::issue(&context, work).len() <= 1_024);
        assert!(!format!("{context:?}").contains("72340172838076673"), "the key is shown");
    }
}
