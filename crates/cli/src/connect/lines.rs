//! The lines of `rtauth connect --json`: what scripts rely on.

use std::time::Duration;

use auth_core::ErrorKind as TokenErrorKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use ws_session::driver::Message;
use ws_session::{Error, ErrorKind};

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    State {
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
        #[serde(rename = "retry_in_ms", serialize_with = "millis", skip_serializing_if = "Option::is_none")]
        retry_in: Option<Duration>,
    },
    Authenticated {
        session_id: Option<&'a str>,
        connection: u64,
        #[serde(rename = "latency_ms", serialize_with = "millis")]
        latency: Option<Duration>,
    },
    Message(Payload<'a>),
    Renewed {
        in_band: bool,
    },
    RenewalFailed {
        reason: &'a str,
        #[serde(rename = "retry_in_ms", serialize_with = "millis")]
        retry_in: Option<Duration>,
    },
    Closed {
        code: Option<u16>,
        reason: &'a str,
    },
    Unsent {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
        may_have_arrived: bool,
    },
    Failed {
        kind: &'a str,
        code: Option<u32>,
        message: &'a str,
    },
}

/// What a message says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
}

impl<'a> Payload<'a> {
    pub(super) fn of(message: &'a Message) -> Self {
        match message {
            Message::Text(text) => Self { text: Some(text), base64: None },
            Message::Binary(bytes) => Self { text: None, base64: Some(STANDARD.encode(bytes)) },
            _ => Self { text: None, base64: None },
        }
    }
}

impl Line<'_> {
    pub(super) fn render(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The kind of a session's error, as it is written: that of the source's error, where that ended it.
pub(super) fn kind(error: &Error) -> String {
    if let Some(error) = error.token_error() {
        return token_kind(error.kind());
    }
    let kind = match error.kind() {
        ErrorKind::AuthenticationRefused => "authentication_refused",
        ErrorKind::Closed => "closed",
        ErrorKind::ConnectionLost => "connection_lost",
        ErrorKind::ConnectionRefused => "connection_refused",
        ErrorKind::Forbidden => "forbidden",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Token => "token",
        _ => "failed",
    };
    kind.to_owned()
}

/// The kind of a source's error.
pub(super) fn token_kind(kind: TokenErrorKind) -> String {
    let kind = serde_json::to_value(kind).ok();
    kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("failed").to_owned()
}

/// The number that goes with it.
pub(super) fn wire_code(error: &Error) -> Option<u32> {
    match error.token_error() {
        Some(error) => error.code(),
        None => error.code().map(u32::from),
    }
}

fn millis<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
}
