//! CreateConnection, DescribeConnection, UpdateConnection, DeauthorizeConnection, DeleteConnection, ListConnections
//! (EventBridge API), each for the account and region of its call.
//!
//! Messages are those of EventBridge where they are known. No answer may hold what is secret.

use super::auth_parameters::{AuthParameters, AuthorizationType, invalid};
use super::{AUTHORIZED, AUTHORIZING, Connections, DEAUTHORIZED, owner};
use crate::limits;
use crate::service::{ServiceCall, ServiceError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use stepwell_asl::Timestamp;
use stepwell_store::{ConnectionRecord, StoreError};
use uuid::Uuid;

/// What is offered.
pub(super) const NAMES: [&str; 6] = [
    "CreateConnection",
    "DeauthorizeConnection",
    "DeleteConnection",
    "DescribeConnection",
    "ListConnections",
    "UpdateConnection",
];

/// The states that ListConnections may be asked for.
const STATES: [&str; 8] = [
    "CREATING",
    "UPDATING",
    "DELETING",
    "AUTHORIZED",
    "DEAUTHORIZED",
    "AUTHORIZING",
    "DEAUTHORIZING",
    "ACTIVE",
];

type Answer = Result<Value, ServiceError>;

impl Connections {
    pub(super) async fn operation(&self, call: &ServiceCall) -> Answer {
        let input = Input(call);
        match call.operation.as_str() {
            "CreateConnection" => self.create(&input).await,
            "DeauthorizeConnection" => self.deauthorize(&input).await,
            "DeleteConnection" => self.delete(&input).await,
            "DescribeConnection" => self.describe(&input).await,
            "ListConnections" => self.list(&input).await,
            "UpdateConnection" => self.update(&input).await,
            other => Err(ServiceError::client(
                "UnknownOperationException",
                format!("There is no operation {other}"),
            )),
        }
    }

    async fn create(&self, input: &Input<'_>) -> Answer {
        let name = input.name()?;
        let description = input.description()?;
        let wanted = input.authorization_type()?.ok_or_else(|| null("authorizationType"))?;
        let given = input.auth_parameters()?.ok_or_else(|| null("authParameters"))?;
        let auth = AuthParameters::read(given, None)?.of_type(wanted)?;
        let (account, region) = (&input.0.account, &input.0.region);
        if self.find_record(input, name).await?.is_some() {
            return Err(exists(name));
        }
        let most = limits::CONNECTIONS;
        let all = self.inner.store.connections((account, region), "", None, most).await;
        if all.map_err(failed)?.len() >= most {
            let message =
                format!("The requested resource exceeds the maximum number allowed: {most} connections");
            return Err(ServiceError::client("LimitExceededException", message));
        }
        let now = self.inner.clock.now();
        let blank = ConnectionRecord {
            account: account.clone(),
            region: region.clone(),
            name: name.to_owned(),
            id: Uuid::new_v4().to_string(),
            description,
            authorization_type: String::new(),
            state: String::new(),
            state_reason: None,
            shown: String::new(),
            scheme: String::new(),
            nonce: Vec::new(),
            sealed: Vec::new(),
            created_at: now,
            modified_at: now,
            authorized_at: None,
        };
        let record = self.sealed(blank, &auth).await?;
        match self.inner.store.create_connection(&record).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => return Err(exists(name)),
            Err(error) => return Err(failed(error)),
        }
        tracing::info!(connection = name, account, "connection created");
        let answer = summary(&record, &["CreationTime", "LastModifiedTime"]);
        self.authorize_later(record);
        Ok(answer)
    }

    async fn describe(&self, input: &Input<'_>) -> Answer {
        let name = input.name()?;
        let (record, _) = self.existing(input, name).await?;
        let mut answer = summary(
            &record,
            &[
                "Name",
                "AuthorizationType",
                "StateReason",
                "CreationTime",
                "LastModifiedTime",
                "LastAuthorizedTime",
            ],
        );
        if let Some(description) = &record.description {
            answer["Description"] = json!(description);
        }
        let (account, region, id) = (&record.account, &record.region, &record.id);
        answer["SecretArn"] =
            json!(format!("arn:aws:secretsmanager:{region}:{account}:secret:events!connection/{name}/{id}"));
        answer["AuthParameters"] = serde_json::from_str(&record.shown).unwrap_or_default();
        Ok(answer)
    }

    async fn update(&self, input: &Input<'_>) -> Answer {
        let name = input.name()?;
        let description = input.description()?;
        let wanted = input.authorization_type()?;
        let given = input.auth_parameters()?;
        let (record, version) = self.existing(input, name).await?;
        let before = AuthorizationType::parse(&record.authorization_type);
        let Some(of_type) = wanted.or(before) else { return Err(null("authorizationType")) };
        // What cannot be opened, or is there no more, has to come whole.
        let kept = self.open(&record).unwrap_or_default();
        let mut changed = record.clone();
        changed.description = description.or(changed.description);
        changed.modified_at = Timestamp(self.inner.clock.now().0.max(record.modified_at.0 + 1));
        if given.is_some() || wanted.is_some() {
            let nothing = json!({});
            let auth = AuthParameters::read(given.unwrap_or(&nothing), Some(&kept))?.of_type(of_type)?;
            changed = self.sealed(changed, &auth).await?;
        }
        self.store_change(&changed, version).await?;
        tracing::info!(connection = name, account = record.account, "connection updated");
        let answer = summary(&changed, &["CreationTime", "LastModifiedTime", "LastAuthorizedTime"]);
        self.authorize_later(changed);
        Ok(answer)
    }

    async fn deauthorize(&self, input: &Input<'_>) -> Answer {
        let name = input.name()?;
        let (record, version) = self.existing(input, name).await?;
        let modified_at = Timestamp(self.inner.clock.now().0.max(record.modified_at.0 + 1));
        let mut shown: Value = serde_json::from_str(&record.shown).unwrap_or_default();
        if let Some(members) = shown.as_object_mut() {
            members.retain(|name, _| name == "InvocationHttpParameters");
        }
        let changed = ConnectionRecord {
            state: DEAUTHORIZED.to_owned(),
            state_reason: Some("The connection was deauthorized".to_owned()),
            shown: shown.to_string(),
            scheme: String::new(),
            nonce: Vec::new(),
            sealed: Vec::new(),
            modified_at,
            ..record
        };
        self.store_change(&changed, version).await?;
        Ok(summary(&changed, &["CreationTime", "LastModifiedTime", "LastAuthorizedTime"]))
    }

    async fn delete(&self, input: &Input<'_>) -> Answer {
        let name = input.name()?;
        let (mut record, version) = self.existing(input, name).await?;
        match self.inner.store.delete_connection(&record, version).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => return Err(concurrent(name)),
            Err(error) => return Err(failed(error)),
        }
        tracing::info!(connection = name, account = record.account, "connection deleted");
        "DELETING".clone_into(&mut record.state);
        Ok(summary(&record, &["CreationTime", "LastModifiedTime", "LastAuthorizedTime"]))
    }

    async fn list(&self, input: &Input<'_>) -> Answer {
        let prefix = input.text("NamePrefix", 1, limits::CONNECTION_NAME_CHARACTERS)?.unwrap_or_default();
        let state = input.text("ConnectionState", 1, 64)?;
        if let Some(state) = state.filter(|state| !STATES.contains(state)) {
            let why = format!("Member must satisfy enum value set: [{}], not '{state}'", STATES.join(", "));
            return Err(invalid("connectionState", &why));
        }
        let limit = match input.member("Limit") {
            None => limits::CONNECTIONS_PAGE,
            Some(value) => {
                let limit = value.as_i64().filter(|limit| (1..=limits::CONNECTIONS_PAGE).contains(limit));
                limit.ok_or_else(|| invalid("limit", "Member must have value between 1 and 100"))?
            }
        };
        let limit = usize::try_from(limit).unwrap_or_default();
        let after = input.text("NextToken", 1, 2_048)?;
        let after = after.map(|token| {
            let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
            name.ok_or_else(|| invalid("nextToken", "The token is not valid"))
        });
        let mut after = after.transpose()?;
        let owner = (input.0.account.as_str(), input.0.region.as_str());
        let mut found: Vec<Value> = Vec::new();
        let mut more = true;
        while more && found.len() < limit {
            let page = self.inner.store.connections(owner, prefix, after.as_deref(), limit).await;
            let page = page.map_err(failed)?;
            more = page.len() == limit;
            for record in page {
                after = Some(record.name.clone());
                if state.is_none_or(|state| record.state == state) {
                    found.push(summary(
                        &record,
                        &[
                            "Name",
                            "AuthorizationType",
                            "StateReason",
                            "CreationTime",
                            "LastModifiedTime",
                            "LastAuthorizedTime",
                        ],
                    ));
                }
                if found.len() == limit {
                    more = true;
                    break;
                }
            }
        }
        let mut answer = json!({"Connections": found});
        if let Some(last) = after.filter(|_| more) {
            answer["NextToken"] = json!(URL_SAFE_NO_PAD.encode(last));
        }
        Ok(answer)
    }

    /// The record with these credentials in it, and the state that they begin with.
    async fn sealed(
        &self,
        record: ConnectionRecord,
        auth: &AuthParameters,
    ) -> Result<ConnectionRecord, ServiceError> {
        let text = serde_json::to_string(auth).map_err(|_| internal("credentials cannot be written"))?;
        let owner = owner(&record.account, &record.region, &record.name);
        let sealed = self.inner.sealing.seal(&owner, &text).await.map_err(|reason| {
            tracing::error!(connection = record.name, reason, "a connection's credentials cannot be sealed");
            internal("The credentials cannot be sealed")
        })?;
        let (authorization_type, state, authorized_at) = if auth.oauth.is_some() {
            ("OAUTH_CLIENT_CREDENTIALS", AUTHORIZING, None)
        } else if auth.basic.is_some() {
            ("BASIC", AUTHORIZED, Some(record.modified_at))
        } else {
            ("API_KEY", AUTHORIZED, Some(record.modified_at))
        };
        Ok(ConnectionRecord {
            authorization_type: authorization_type.to_owned(),
            state: state.to_owned(),
            state_reason: None,
            shown: auth.shown().to_string(),
            scheme: sealed.scheme,
            nonce: sealed.nonce,
            sealed: sealed.bytes,
            authorized_at,
            ..record
        })
    }

    /// Tries credentials that want to be tried, while nobody waits for it.
    fn authorize_later(&self, record: ConnectionRecord) {
        if record.state == AUTHORIZING {
            let connections = self.clone();
            // It ends within the time of two requests; what a shutdown cuts short, the first task does.
            tokio::spawn(async move { connections.authorize(record).await });
        }
    }

    async fn store_change(&self, record: &ConnectionRecord, version: u64) -> Result<(), ServiceError> {
        match self.inner.store.change_connection(record, version).await {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict) => Err(concurrent(&record.name)),
            Err(error) => Err(failed(error)),
        }
    }

    async fn find_record(
        &self,
        input: &Input<'_>,
        name: &str,
    ) -> Result<Option<(ConnectionRecord, u64)>, ServiceError> {
        self.inner.store.connection(&input.0.account, &input.0.region, name).await.map_err(failed)
    }

    async fn existing(&self, input: &Input<'_>, name: &str) -> Result<(ConnectionRecord, u64), ServiceError> {
        self.find_record(input, name).await?.ok_or_else(|| {
            let message = format!("Connection '{name}' does not exist.");
            ServiceError::client("ResourceNotFoundException", message)
        })
    }
}

/// The input of a call.
struct Input<'a>(&'a ServiceCall);

impl Input<'_> {
    fn member(&self, name: &str) -> Option<&Value> {
        self.0.input.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str, shortest: usize, longest: usize) -> Result<Option<&str>, ServiceError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let member = crate::aws_sdk::uncapitalised(name);
        let Some(text) = value.as_str() else {
            let message = format!("The member {member} is not a String");
            return Err(ServiceError::client("SerializationException", message));
        };
        let length = text.chars().count();
        if length < shortest {
            let why = format!("Member must have length greater than or equal to {shortest}");
            return Err(invalid(&member, &why));
        }
        if length > longest {
            return Err(invalid(
                &member,
                &format!("Member must have length less than or equal to {longest}"),
            ));
        }
        Ok(Some(text))
    }

    fn name(&self) -> Result<&str, ServiceError> {
        let name = self.text("Name", 1, limits::CONNECTION_NAME_CHARACTERS)?.ok_or_else(|| null("name"))?;
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
            return Ok(name);
        }
        let why =
            format!("Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+, not '{name}'");
        Err(invalid("name", &why))
    }

    fn description(&self) -> Result<Option<String>, ServiceError> {
        let text = self.text("Description", 0, limits::CONNECTION_DESCRIPTION_CHARACTERS)?;
        Ok(text.map(str::to_owned))
    }

    fn authorization_type(&self) -> Result<Option<AuthorizationType>, ServiceError> {
        let Some(name) = self.text("AuthorizationType", 1, 64)? else { return Ok(None) };
        if let Some(found) = AuthorizationType::parse(name) {
            return Ok(Some(found));
        }
        let names = AuthorizationType::NAMES.map(|(name, _)| name).join(", ");
        Err(invalid(
            "authorizationType",
            &format!("Member must satisfy enum value set: [{names}], not '{name}'"),
        ))
    }

    fn auth_parameters(&self) -> Result<Option<&Value>, ServiceError> {
        match self.member("AuthParameters") {
            Some(Value::Object(members)) => {
                if members.contains_key("ConnectivityParameters") {
                    let why = "connections to private APIs are not offered by this release of Stepwell";
                    return Err(invalid("authParameters.connectivityParameters", why));
                }
                Ok(self.member("AuthParameters"))
            }
            None => Ok(None),
            Some(_) => {
                let message = "The member authParameters is not a Structure";
                Err(ServiceError::client("SerializationException", message))
            }
        }
    }
}

/// ARN and state of a connection, and those of these members that it has.
fn summary(record: &ConnectionRecord, members: &[&str]) -> Value {
    let ConnectionRecord { account, region, name, id, .. } = record;
    let seconds = |at: Timestamp| json!(at.0.div_euclid(1_000));
    let mut answer = Map::new();
    answer.insert(
        "ConnectionArn".to_owned(),
        json!(format!("arn:aws:events:{region}:{account}:connection/{name}/{id}")),
    );
    answer.insert("ConnectionState".to_owned(), json!(record.state));
    for member in members {
        let value = match *member {
            "Name" => Some(json!(name)),
            "AuthorizationType" => Some(json!(record.authorization_type)),
            "StateReason" => record.state_reason.as_ref().map(|reason| json!(reason)),
            "CreationTime" => Some(seconds(record.created_at)),
            "LastModifiedTime" => Some(seconds(record.modified_at)),
            _ => record.authorized_at.map(seconds),
        };
        answer.extend(value.map(|value| ((*member).to_owned(), value)));
    }
    Value::Object(answer)
}

fn null(member: &str) -> ServiceError {
    let message = format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    );
    ServiceError::client("ValidationException", message)
}

fn exists(name: &str) -> ServiceError {
    ServiceError::client("ResourceAlreadyExistsException", format!("Connection {name} already exists."))
}

fn concurrent(name: &str) -> ServiceError {
    let message = format!("Connection {name} was changed by another request");
    ServiceError::client("ConcurrentModificationException", message)
}

fn internal(message: &str) -> ServiceError {
    ServiceError::server("InternalException", message)
}

/// A failure of the store: it goes to the log, and nothing of it to the client.
#[allow(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn failed(error: StoreError) -> ServiceError {
    tracing::error!(%error, "connections");
    internal("An internal error occurred")
}
