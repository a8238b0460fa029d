//! Secrets and machines that come and go under load: what was acknowledged about them must be so after the kill.
//!
//! One thread does it, so at any moment one change at most is unanswered; it must never touch the machines of the load.

use crate::violation::Violation;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stepwell_it::{CallFailure, Client, machine_arn};

/// Names of each kind.
const NAMES: usize = 6;

/// What each name may stand for: one value if the last change was answered, two if not. None: there is nothing.
type Known = BTreeMap<String, Vec<Option<String>>>;

/// What is known of secrets and of machines.
#[derive(Default)]
pub struct Administration {
    secrets: Known,
    machines: Known,
    /// Changes that were acknowledged.
    pub acknowledged: usize,
}

impl Administration {
    /// Makes one change. The error says how the connection broke.
    pub fn change(&mut self, client: &Client, random: &mut Rng) -> Result<(), CallFailure> {
        let name = format!("other-{}", random.usize(..NAMES));
        if random.bool() {
            self.change_secret(client, &name, random)
        } else {
            self.change_machine(client, &name, random)
        }
    }

    fn change_secret(&mut self, client: &Client, name: &str, random: &mut Rng) -> Result<(), CallFailure> {
        let possible = self.secrets.entry(name.to_owned()).or_insert_with(|| vec![None]);
        let delete = random.bool() && *possible != [None];
        let wanted = (!delete).then(String::new);
        possible.push(wanted.clone());
        let path = format!("/secrets/{name}");
        let reply = if delete {
            client.send("DELETE", &path, &[], b"")?
        } else {
            client.send("PUT", &path, &[], random.u64(..).to_string().as_bytes())?
        };
        if !(200..300).contains(&reply.status) {
            return Err(CallFailure::Refused(reply.refusal()));
        }
        *possible = vec![wanted];
        self.acknowledged += 1;
        Ok(())
    }

    fn change_machine(&mut self, client: &Client, name: &str, random: &mut Rng) -> Result<(), CallFailure> {
        let possible = self.machines.entry(name.to_owned()).or_insert_with(|| vec![None]);
        let absent = *possible == [None];
        let delete = !absent && random.bool();
        let pass = json!({"Type": "Pass", "Result": random.u64(..1_000_000), "End": true});
        let definition = json!({"StartAt": "P", "States": {"P": pass}}).to_string();
        let wanted = (!delete).then(|| definition.clone());
        possible.push(wanted.clone());
        let arn = machine_arn(name);
        if delete {
            client.call("DeleteStateMachine", &json!({"stateMachineArn": arn}))?;
        } else if absent {
            let role = "arn:aws:iam::123456789012:role/stepwell";
            client.call(
                "CreateStateMachine",
                &json!({"name": name, "definition": definition, "roleArn": role}),
            )?;
        } else {
            client.call("UpdateStateMachine", &json!({"stateMachineArn": arn, "definition": definition}))?;
        }
        *possible = vec![wanted];
        self.acknowledged += 1;
        Ok(())
    }

    /// Compares everything with the server; afterwards no change is unanswered.
    pub fn check(&mut self, client: &Client) -> Result<Vec<Violation>, CallFailure> {
        let reply = client.send("GET", "/secrets", &[], b"")?;
        let listed = reply.json();
        let listed: Vec<&Value> = listed["secrets"].as_array().into_iter().flatten().collect();
        let mut violations = Vec::new();
        for (name, possible) in &mut self.secrets {
            let found = listed.iter().any(|secret| secret["name"] == name.as_str()).then(String::new);
            settle(&format!("secret {name}"), possible, found, &mut violations);
        }
        for (name, possible) in &mut self.machines {
            let found =
                match client.call("DescribeStateMachine", &json!({"stateMachineArn": machine_arn(name)})) {
                    Ok(description) => description["definition"].as_str().map(str::to_owned),
                    Err(CallFailure::Refused(refusal)) if refusal.code == "StateMachineDoesNotExist" => None,
                    Err(failure) => return Err(failure),
                };
            settle(&format!("machine {name}"), possible, found, &mut violations);
        }
        Ok(violations)
    }
}

fn settle(
    about: &str,
    possible: &mut Vec<Option<String>>,
    found: Option<String>,
    violations: &mut Vec<Violation>,
) {
    if !possible.contains(&found) {
        violations.push(Violation::new(about, format!("one of {possible:?}"), format!("{found:?}")));
    }
    *possible = vec![found];
}
