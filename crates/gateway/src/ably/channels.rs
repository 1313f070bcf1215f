//! `/channels/{channel}/messages`, as far as it takes to use a token: what is published is checked, and kept by nobody.

use auth_core::ably::ErrorCode;
use auth_core::capability::Operation;
use auth_core::time::Now;
use auth_http::endpoint::ably::{self, Caller, Refusal, check_format};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::authority::random_text;

/// Answers a request to publish, or for the history.
///
/// # Errors
///
/// The refusal to answer with.
pub(super) fn respond(
    now: Now,
    channel: &str,
    request: &Request<Bytes>,
    caller: impl FnOnce() -> Result<Caller, Refusal>,
) -> Result<Response<Bytes>, Refusal> {
    check_format(request)?;
    match *request.method() {
        Method::GET => {
            caller()?.require(Operation::History, channel)?;
            Ok(ably::json(StatusCode::OK, "[]"))
        }
        Method::POST => {
            let caller = caller()?;
            caller.require(Operation::Publish, channel)?;
            publish(now, channel, &caller, request.body())
        }
        _ => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

/// Checks the messages, one or a list of them, and says under which names they would be found.
fn publish(now: Now, channel: &str, caller: &Caller, body: &[u8]) -> Result<Response<Bytes>, Refusal> {
    let malformed =
        || Refusal::new(ErrorCode::BAD_REQUEST, "the body is no message, and no list of messages");
    let messages = match serde_json::from_slice(body).map_err(|_| malformed())? {
        Value::Array(messages) if !messages.is_empty() => messages,
        message @ Value::Object(_) => vec![message],
        _ => return Err(malformed()),
    };
    for message in &messages {
        let message = message.as_object().ok_or_else(malformed)?;
        let named = match message.get("clientId") {
            None | Some(Value::Null) => None,
            Some(Value::String(client_id)) => Some(client_id.as_str()),
            Some(_) => return Err(Refusal::new(ErrorCode::INVALID_CLIENT_ID, "a clientId is a text")),
        };
        caller.message_client_id(named)?;
    }
    let own_id = messages.first().and_then(|message| message.get("id")?.as_str().map(str::to_owned));
    let serial = format!("{:014}-000@{}", now.wall.as_millis(), random_text());
    let serials: Vec<_> = (0..messages.len()).map(|index| format!("{serial}:{index:03}")).collect();
    let reply = json!({
        "channel": channel,
        "messageId": own_id.unwrap_or_else(|| format!("{}:0", random_text())),
        "serials": serials,
    });
    Ok(ably::json(StatusCode::CREATED, reply.to_string()))
}
