//! How a dialect puts its messages into WebSocket frames.

use auth_core::Secret;
use serde_json::Value;

/// How messages are framed.
///
/// Matchers see each message as a JSON value. What that is where the wire has no JSON stands beside each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// One JSON value in a text frame.
    Json,
    /// JSON values, each on a line, any number in a text frame (Centrifugo).
    JsonLines,
    /// JSON values, each ended by the byte 0x1E (SignalR).
    JsonRecordSeparator,
    /// Engine.IO 4 with Socket.IO packets: `{"packet":"0","data":…}`, `{"packet":"40","namespace":"/","data":…}`.
    EngineIo,
    /// NATS: lines of text in binary frames: `{"verb":"INFO","data":{…}}`, `{"verb":"-ERR","text":"Authorization Violation"}`.
    Nats,
}

/// A message of the server as it came, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has these two")]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// A message for the server, with whatever secret was filled into it.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "a driver takes it apart")]
pub struct Rendered {
    /// What to send.
    pub text: Secret,
    /// Whether it goes into a binary frame.
    pub binary: bool,
}

/// One message of those that a frame holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read<'a> {
    /// As it stood there.
    pub(crate) text: &'a str,
    /// As matchers see it; `Null` if it can't be read.
    pub(crate) value: Value,
}

impl Codec {
    /// The messages of a frame, at most [`MOST_MESSAGES`].
    pub(crate) fn read<'a>(self, incoming: Incoming<'a>) -> Vec<Read<'a>> {
        match (self, incoming) {
            (Self::Json, Incoming::Text(text)) => {
                vec![Read { text, value: serde_json::from_str(text).unwrap_or_default() }]
            }
            _ => Vec::new(),
        }
    }

    /// A message in the frame that the dialect wants.
    pub(crate) fn write(self, message: Secret) -> Rendered {
        Rendered { text: message, binary: self == Self::Nats }
    }
}
