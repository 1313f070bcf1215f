//! `/channels/{channel}/messages`: what is published is checked, goes to the connections that listen, and is kept by nobody.

use auth_core::ably::ErrorCode;
use auth_core::capability::Operation;
use auth_core::time::Now;
use auth_http::endpoint::ably::realtime::Publication;
use auth_http::endpoint::ably::{self, Caller, Refusal, check_format};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::authority::random_text;

/// Answers a request to publish, or for the history. What is published goes to `publish_to`, with its application.
///
/// # Errors
///
/// The refusal to answer with.
pub(super) fn respond(
    now: Now,
    channel: &str,
    request: &Request<Bytes>,
    caller: impl FnOnce() -> Result<Caller, Refusal>,
    publish_to: impl FnOnce(&str, Publication),
) -> Result<Response<Bytes>, Refusal> {
    check_format(request)?;
    match *request.method() {
        Method::GET => {
            caller()?.require(Operation::History, channel)?;
            Ok(ably::json(StatusCode::OK, "[]"))
        }
        Method::POST => publish(now, channel, &caller()?, request.body(), publish_to),
        _ => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

/// Publishes the messages, one or a list of them, to the connections that listen, and says under which names they would be
/// found.
fn publish(
    now: Now,
    channel: &str,
    caller: &Caller,
    body: &[u8],
    publish_to: impl FnOnce(&str, Publication),
) -> Result<Response<Bytes>, Refusal> {
    let malformed =
        || Refusal::new(ErrorCode::BAD_REQUEST, "the body is no message, and no list of messages");
    let messages = match serde_json::from_slice(body).map_err(|_| malformed())? {
        Value::Array(messages) => messages,
        message => vec![message],
    };
    let publication = Publication::new(now, caller, channel, None, &random_text(), &messages)?;
    let reply = json!({
        "channel": channel,
        "messageId": publication.message_id,
        "serials": publication.serials,
    });
    publish_to(caller.application(), publication);
    Ok(ably::json(StatusCode::CREATED, reply.to_string()))
}
