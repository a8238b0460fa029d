//! Which account the things belong to that a request names.
//!
//! It looks at the request alone, before any operation does: also one that is added later is held to it.

use serde_json::{Map, Value};

use super::AuthError;
use super::caller::Caller;

/// The account in an ARN; none of what is no ARN, or of one without an account.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    let mut sections = arn.split(':');
    (sections.next() == Some("arn")).then_some(())?;
    sections.nth(3).filter(|account| !account.is_empty())
}

/// Refuses a request to Step Functions whose members name something of another account: every member but roles, which are
/// only kept. Errors: `Denied`.
pub(crate) fn check_members(
    caller: &Caller,
    action: &str,
    members: &Map<String, Value>,
) -> Result<(), AuthError> {
    for (name, value) in members.iter().filter(|(name, _)| *name != "roleArn") {
        match value {
            Value::String(text) if name.ends_with("Arn") => check(caller, action, text)?,
            Value::Array(items) => {
                for item in items {
                    if let Value::Object(members) = item {
                        check_members(caller, action, members)?;
                    }
                }
            }
            Value::Object(members) => check_members(caller, action, members)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

fn check(caller: &Caller, action: &str, arn: &str) -> Result<(), AuthError> {
    let is_ours = arn.split(':').nth(2) == Some("states");
    match account_of(arn) {
        Some(account) if is_ours => caller.check_account(account, action, arn),
        Some(_) | None => Ok(()),
    }
}

/// The same for a function's name, which may be an ARN or a part of one: `ACCOUNT:function:NAME`. Errors: `Denied`.
pub(crate) fn check_function(caller: &Caller, action: &str, name: &str) -> Result<(), AuthError> {
    let mut sections = name.split(':').peekable();
    while let Some(section) = sections.next() {
        if sections.peek() == Some(&"function") && super::keys::is_account(section) {
            return caller.check_account(section, action, name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use stepwell_store::{MemoryBackend, Store};

    use super::*;
    use crate::auth::policy::Policies;
    use crate::auth::{AccessKeys, NewKey};
    use crate::modules::Accounts;
    use crate::secrets::{Seal, SecretKey};

    #[test]
    fn the_account_of_an_arn_is_its_fifth_section() {
        assert_eq!(account_of("arn:aws:states:r:111111111111:stateMachine:m"), Some("111111111111"));
        for none in ["", "x", "arn:aws:s3:::bucket", "m:a:b:c:111111111111"] {
            assert_eq!(account_of(none), None, "{none}");
        }
    }

    /// The holder of a key of account 111111111111.
    async fn holder() -> Caller {
        let store = Store::new(Arc::new(MemoryBackend::new()));
        let seal = Seal::new(store.clone(), SecretKey::in_memory());
        let keys = AccessKeys::open(store, seal, Accounts::default(), None).await.unwrap();
        let (account, description) = ("111111111111".to_owned(), String::new());
        let wish = NewKey { account, policies: Policies::ADMIN, description, expires_at: None };
        Caller::Key(keys.create(wish).await.unwrap().0)
    }

    fn members(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("it is an object") };
        members
    }

    #[tokio::test]
    async fn whatever_names_something_of_another_account_is_refused() {
        let holder = holder().await;
        let arn = |account: &str| format!("arn:aws:states:r:{account}:stateMachine:m");
        let (own, other) = (arn("111111111111"), arn("222222222222"));
        for named in [
            json!({"stateMachineArn": other}),
            json!({"resourceArn": other, "tags": []}),
            json!({"routingConfiguration": [{"stateMachineVersionArn": own}, {"stateMachineVersionArn": other}]}),
            json!({"deeper": {"executionArn": other}}),
        ] {
            let refused = check_members(&holder, "states:X", &members(named.clone())).unwrap_err();
            let text = refused.to_string();
            assert!(text.contains(&other) && text.ends_with("allows the states:X action"), "{named}: {text}");
            assert_eq!(check_members(&Caller::Anyone, "states:X", &members(named)), Ok(()));
        }
        for allowed in [
            json!({"stateMachineArn": own, "roleArn": "arn:aws:iam::222222222222:role/r", "input": other}),
            json!({"stateMachineArn": "no ARN"}),
        ] {
            assert_eq!(check_members(&holder, "states:X", &members(allowed.clone())), Ok(()), "{allowed}");
        }
    }

    #[tokio::test]
    async fn functions_are_named_in_many_ways() {
        let holder = holder().await;
        for (name, is_allowed) in [
            ("f", true),
            ("111111111111:function:f", true),
            ("arn:aws:lambda:r:111111111111:function:f:live", true),
            ("222222222222", true),
            ("222222222222:live", true),
            ("222222222222:function:f", false),
            ("r:222222222222:function:f", false),
            ("arn:aws:lambda:us-east-1:222222222222:function:f", false),
        ] {
            assert_eq!(check_function(&holder, "lambda:Invoke", name).is_ok(), is_allowed, "{name}");
        }
    }
}
