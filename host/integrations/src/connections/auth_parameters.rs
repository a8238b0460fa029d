//! `AuthParameters` of a connection (EventBridge API: CreateConnectionAuthRequestParameters): what a request needs to be let
//! in. Read, checked, merged with a change, and written without what is secret.
//!
//! It must never be printed: `Debug` says nothing, and no error quotes a value.

use crate::limits;
use crate::service::ServiceError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a connection holds.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AuthParameters {
    #[serde(rename = "BasicAuthParameters", skip_serializing_if = "Option::is_none")]
    pub(crate) basic: Option<BasicAuth>,
    #[serde(rename = "OAuthParameters", skip_serializing_if = "Option::is_none")]
    pub(crate) oauth: Option<OAuth>,
    #[serde(rename = "ApiKeyAuthParameters", skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<ApiKey>,
    #[serde(rename = "InvocationHttpParameters", skip_serializing_if = "Option::is_none")]
    pub(crate) invocation: Option<HttpParameters>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct BasicAuth {
    pub(crate) username: String,
    pub(crate) password: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ApiKey {
    pub(crate) api_key_name: String,
    pub(crate) api_key_value: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct OAuth {
    pub(crate) client_parameters: OAuthClient,
    pub(crate) authorization_endpoint: String,
    pub(crate) http_method: String,
    #[serde(rename = "OAuthHttpParameters", skip_serializing_if = "Option::is_none")]
    pub(crate) http_parameters: Option<HttpParameters>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OAuthClient {
    #[serde(rename = "ClientID")]
    pub(crate) id: String,
    #[serde(rename = "ClientSecret")]
    pub(crate) secret: String,
}

/// Headers, query and body members that a connection adds.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HttpParameters {
    #[serde(rename = "HeaderParameters")]
    pub(crate) headers: Vec<Parameter>,
    #[serde(rename = "QueryStringParameters")]
    pub(crate) query: Vec<Parameter>,
    #[serde(rename = "BodyParameters")]
    pub(crate) body: Vec<Parameter>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Parameter {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Whether the value is told to nobody.
    pub(crate) is_value_secret: bool,
}

impl std::fmt::Debug for AuthParameters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AuthParameters")
    }
}

/// How a connection is let in (API: ConnectionAuthorizationType).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorizationType {
    Basic,
    ApiKey,
    OAuth,
}

impl AuthorizationType {
    pub(crate) const NAMES: [(&'static str, AuthorizationType); 3] = [
        ("BASIC", AuthorizationType::Basic),
        ("OAUTH_CLIENT_CREDENTIALS", AuthorizationType::OAuth),
        ("API_KEY", AuthorizationType::ApiKey),
    ];

    pub(crate) fn parse(name: &str) -> Option<AuthorizationType> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
    }
}

impl AuthParameters {
    /// Reads what a request gives, over what was there before. Lists are replaced, structures merged.
    pub(crate) fn read(
        given: &Value,
        before: Option<&AuthParameters>,
    ) -> Result<AuthParameters, ServiceError> {
        let mut whole = before.map_or_else(|| json!({}), |before| json!(before));
        merge(&mut whole, given);
        // serde names types and members, never values of texts; numbers are quoted, but no secret is one.
        let read = AuthParameters::deserialize(&whole).map_err(|_| {
            invalid("AuthParameters", "a member of it is of another type than its model says")
        })?;
        if serde_json::to_string(&read).map_or(usize::MAX, |text| text.len()) > limits::AUTH_PARAMETERS_BYTES
        {
            return Err(invalid("AuthParameters", "all of it together has more than 64 KiB"));
        }
        Ok(read)
    }

    /// Keeps what this type uses and refuses what lacks something of it.
    pub(crate) fn of_type(mut self, wanted: AuthorizationType) -> Result<AuthParameters, ServiceError> {
        let missing = |member: &str| Err(invalid(member, "Member must not be null"));
        match wanted {
            AuthorizationType::Basic => match &self.basic {
                None => return missing("authParameters.basicAuthParameters"),
                Some(basic) if basic.username.is_empty() => {
                    return missing("authParameters.basicAuthParameters.username");
                }
                Some(basic) if basic.password.is_empty() => {
                    return missing("authParameters.basicAuthParameters.password");
                }
                Some(_) => (self.oauth, self.api_key) = (None, None),
            },
            AuthorizationType::ApiKey => match &self.api_key {
                None => return missing("authParameters.apiKeyAuthParameters"),
                Some(key) if http::HeaderName::try_from(&key.api_key_name).is_err() => {
                    let why = "Member must be the name of a header";
                    return Err(invalid("authParameters.apiKeyAuthParameters.apiKeyName", why));
                }
                Some(key) if key.api_key_value.is_empty() => {
                    return missing("authParameters.apiKeyAuthParameters.apiKeyValue");
                }
                Some(_) => (self.oauth, self.basic) = (None, None),
            },
            AuthorizationType::OAuth => match &self.oauth {
                None => return missing("authParameters.oAuthParameters"),
                Some(oauth) => {
                    check_oauth(oauth)?;
                    (self.basic, self.api_key) = (None, None);
                }
            },
        }
        let of_oauth = self.oauth.as_ref().and_then(|oauth| oauth.http_parameters.as_ref());
        for parameters in self.invocation.iter().chain(of_oauth) {
            parameters.check()?;
        }
        Ok(self)
    }

    /// The same without secrets, as DescribeConnection shows it.
    pub(crate) fn shown(&self) -> Value {
        let mut shown = json!({});
        if let Some(basic) = &self.basic {
            shown["BasicAuthParameters"] = json!({"Username": basic.username});
        }
        if let Some(key) = &self.api_key {
            shown["ApiKeyAuthParameters"] = json!({"ApiKeyName": key.api_key_name});
        }
        if let Some(oauth) = &self.oauth {
            shown["OAuthParameters"] = json!({
                "ClientParameters": {"ClientID": oauth.client_parameters.id},
                "AuthorizationEndpoint": oauth.authorization_endpoint,
                "HttpMethod": oauth.http_method,
            });
            if let Some(parameters) = &oauth.http_parameters {
                shown["OAuthParameters"]["OAuthHttpParameters"] = parameters.shown();
            }
        }
        if let Some(parameters) = &self.invocation {
            shown["InvocationHttpParameters"] = parameters.shown();
        }
        shown
    }
}

impl HttpParameters {
    fn lists(&self) -> [(&'static str, &Vec<Parameter>); 3] {
        [
            ("HeaderParameters", &self.headers),
            ("QueryStringParameters", &self.query),
            ("BodyParameters", &self.body),
        ]
    }

    fn shown(&self) -> Value {
        let mut shown = json!({});
        for (name, list) in self.lists().into_iter().filter(|(_, list)| !list.is_empty()) {
            shown[name] = list.iter().map(Parameter::shown).collect();
        }
        shown
    }

    fn check(&self) -> Result<(), ServiceError> {
        if self.lists().iter().any(|(_, list)| list.len() > limits::CONNECTION_PARAMETERS) {
            let why = "Member must have length less than or equal to 100";
            return Err(invalid("authParameters.invocationHttpParameters", why));
        }
        let is_header = |one: &Parameter| {
            http::HeaderName::try_from(&one.key).is_ok() && http::HeaderValue::try_from(&one.value).is_ok()
        };
        if self.headers.iter().all(is_header) {
            return Ok(());
        }
        let why = "Member must hold names and values of headers";
        Err(invalid("authParameters.invocationHttpParameters.headerParameters", why))
    }
}

impl Parameter {
    fn shown(&self) -> Value {
        let mut shown = json!({"Key": self.key, "IsValueSecret": self.is_value_secret});
        if !self.is_value_secret {
            shown["Value"] = json!(self.value);
        }
        shown
    }
}

fn check_oauth(oauth: &OAuth) -> Result<(), ServiceError> {
    let at = |member: &str| format!("authParameters.oAuthParameters.{member}");
    for (member, text) in [
        ("clientParameters.clientID", &oauth.client_parameters.id),
        ("clientParameters.clientSecret", &oauth.client_parameters.secret),
    ] {
        if text.is_empty() {
            return Err(invalid(&at(member), "Member must not be null"));
        }
    }
    if crate::http_client::Target::parse(&oauth.authorization_endpoint).is_err() {
        return Err(invalid(&at("authorizationEndpoint"), "Member must be a URL"));
    }
    if !["GET", "POST", "PUT"].contains(&oauth.http_method.as_str()) {
        return Err(invalid(&at("httpMethod"), "Member must satisfy enum value set: [POST, GET, PUT]"));
    }
    Ok(())
}

/// In the words of the model's constraints.
pub(super) fn invalid(member: &str, why: &str) -> ServiceError {
    let message =
        format!("1 validation error detected: Value at '{member}' failed to satisfy constraint: {why}");
    ServiceError::client("ValidationException", message)
}

/// Puts the members of `given` over those of `value`, at every depth.
fn merge(value: &mut Value, given: &Value) {
    match (value, given) {
        (Value::Object(members), Value::Object(given)) => {
            for (name, given) in given.iter().filter(|(_, given)| !given.is_null()) {
                merge(members.entry(name).or_insert(Value::Null), given);
            }
        }
        (value, given) => value.clone_from(given),
    }
}
