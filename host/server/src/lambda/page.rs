//! Pages of lists (Lambda API: Marker, MaxItems). A marker belongs to the operation and the arguments it was given for.

use serde_json::Value;

use super::error::LambdaError;
use super::request::Call;
use crate::api::page_token;
use crate::limits;
use crate::server::Server;

/// What a list request says about its page.
pub(crate) struct Page {
    /// Items on it, at least 1.
    items: usize,
    marker: Option<String>,
}

impl Page {
    /// Reads `maxItems` and `marker`; violations are noted.
    pub(crate) fn read(call: &mut Call) -> Page {
        let items = call.fields.integer("maxItems", 1, limits::LAMBDA_MAX_ITEMS);
        let items = items.and_then(|items| usize::try_from(items).ok());
        // As AWS does: fewer than were asked for, and a marker for the rest.
        let items =
            items.map_or(limits::LAMBDA_PAGE_ITEMS, |items| items.clamp(1, limits::LAMBDA_PAGE_ITEMS));
        let marker = call.fields.text("marker", 0, limits::PAGE_TOKEN_CHARACTERS);
        Page { items, marker: marker.filter(|marker| !marker.is_empty()) }
    }

    /// The name of the last item that was given; none for the first page. Errors: InvalidParameterValue.
    pub(crate) async fn after(&self, server: &Server, scope: &[&str]) -> Result<Option<String>, LambdaError> {
        let Some(marker) = &self.marker else { return Ok(None) };
        let position =
            page_token::open(server, marker, scope).await.and_then(|bytes| String::from_utf8(bytes).ok());
        position.map(Some).ok_or_else(|| {
            LambdaError::InvalidParameterValue(
                "The Marker is not valid for this request, or too old".to_owned(),
            )
        })
    }

    /// The answer: the items that fit under `member`, and the marker for what is behind them. Items come with names.
    pub(crate) async fn answer(
        &self,
        server: &Server,
        member: &str,
        mut items: Vec<(String, Value)>,
        scope: &[&str],
    ) -> Value {
        let more = items.len() > self.items;
        items.truncate(self.items);
        let next = match items.last() {
            Some((name, _)) if more => Some(page_token::issue(server, scope, name.as_bytes()).await),
            Some(_) | None => None,
        };
        let items: Vec<Value> = items.into_iter().map(|(_, item)| item).collect();
        let mut answer = serde_json::json!({member: items});
        if let Some(next) = next {
            answer["NextMarker"] = Value::String(next);
        }
        answer
    }

    /// How many items to look for: one more than fits tells whether there is another page.
    pub(crate) fn wanted(&self) -> usize {
        self.items + 1
    }
}
