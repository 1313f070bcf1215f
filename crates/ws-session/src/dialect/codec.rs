//! How a dialect puts its messages into WebSocket frames.

mod engine_io;
mod nats;
#[cfg(test)]
mod tests;

use std::iter;
use std::str::from_utf8;

use auth_core::Secret;
use serde_json::Value;

use super::assembly::{Assembly, wipe};

/// How messages are framed.
///
/// Matchers see each message as a JSON value: the message itself, or, where the wire has more than JSON, the view that stands
/// beside the codec. A template of JSON is such a message or view too; a template of text is what goes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// One JSON value in a text frame.
    Json,
    /// JSON values, each on a line, any number in a text frame (Centrifugo). One that is sent is alone in its frame, without an
    /// end of line.
    JsonLines,
    /// JSON values, each ended by the byte 0x1E (SignalR).
    JsonRecordSeparator,
    /// Engine.IO 4 with Socket.IO packets, one in a text frame.
    ///
    /// `0{…}` is `{"packet":"0","data":{…}}`, `40{…}` is `{"packet":"40","namespace":"/","data":{…}}`, `40/ns,{…}` has
    /// `"namespace":"/ns"`, `427["a"]` is `{"packet":"42","namespace":"/","id":7,"data":["a"]}`, `2` is `{"packet":"2"}`, and
    /// `3probe` is `{"packet":"3","text":"probe"}`.
    EngineIo,
    /// NATS: lines of text in binary frames.
    ///
    /// `INFO {…}` is `{"verb":"INFO","data":{…}}`, `PING` is `{"verb":"PING"}`, `-ERR 'Authorization Violation'` is
    /// `{"verb":"-ERR","text":"Authorization Violation"}`, and `MSG a 1 5` is `{"verb":"MSG","text":"a 1 5"}`: the payload behind it is
    /// passed over by its length, so that it never poses as a line. A frame must begin with a line, as those of nats-server do, unless it
    /// takes its client for a browser: then it cuts at 4 KiB.
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
    /// As it stood there, without what ends it; empty if it is no text.
    pub(crate) text: &'a str,
    /// As matchers see it; `Null` if it can't be read.
    pub(crate) value: Value,
}

/// It may have held a credential. What the parser itself had in its hands before that is out of reach.
impl Drop for Read<'_> {
    fn drop(&mut self) {
        wipe(&mut self.value);
    }
}

/// The messages of a frame, each read when it is asked for: a frame has room for more of them than there should be at a time.
pub(crate) type Messages<'a> = Box<dyn Iterator<Item = Read<'a>> + 'a>;

impl<'a> Incoming<'a> {
    /// The text, also of a binary message that is one: for [`Matcher::may_match`](super::Matcher::may_match).
    pub(crate) fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(bytes) => from_utf8(bytes).ok(),
        }
    }

    fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl Codec {
    /// Whether messages are JSON on the wire, rather than seen as such.
    #[cfg(any(feature = "description", feature = "tokio"))]
    pub(crate) const fn is_json(self) -> bool {
        match self {
            Self::Json | Self::JsonLines | Self::JsonRecordSeparator => true,
            Self::EngineIo | Self::Nats => false,
        }
    }

    /// The messages of a frame, all of them: any may be one of the dialect's, and may hold a credential. Text and binary frames are read alike,
    /// but for Engine.IO, which sends attachments in binary ones.
    pub(crate) fn read(self, incoming: Incoming<'_>) -> Messages<'_> {
        let one = |message| -> Messages<'_> { Box::new(iter::once(message)) };
        let parts = |separator: char| -> Messages<'_> {
            let Some(text) = incoming.as_text() else { return one(Read::unreadable("")) };
            let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
            Box::new(parts.map(Read::json))
        };
        match (self, incoming) {
            (Self::Json, _) => one(incoming.as_text().map_or_else(|| Read::unreadable(""), Read::json)),
            (Self::JsonLines, _) => parts('\n'),
            (Self::JsonRecordSeparator, _) => parts('\x1e'),
            (Self::EngineIo, Incoming::Text(text)) => one(engine_io::read(text)),
            (Self::EngineIo, Incoming::Binary(_)) => one(Read::unreadable("")),
            (Self::Nats, _) => Box::new(nats::Lines::of(incoming.as_bytes())),
        }
    }

    /// A message in the frame that the dialect wants, with what ends it there. A view is put into the words of the wire.
    pub(crate) fn write(self, message: Secret) -> Rendered {
        let text = message.expose();
        let message = match self {
            Self::Json | Self::JsonLines => message,
            Self::JsonRecordSeparator => ended(text, "\x1e"),
            // On neither wire a message begins so: it is a view.
            Self::EngineIo | Self::Nats if text.starts_with('{') => match serde_json::from_str(text) {
                Ok(mut view) => {
                    let mut words = Assembly::new();
                    self.append(&view, &mut words);
                    wipe(&mut view);
                    if self == Self::Nats { ended(words.as_str(), "\r\n") } else { words.finish() }
                }
                Err(_) => message,
            },
            Self::EngineIo => message,
            Self::Nats => ended(text, "\r\n"),
        };
        Rendered { text: message, binary: self == Self::Nats }
    }

    /// Messages of JSON in one frame, as a server puts them there.
    #[cfg(feature = "tokio")]
    pub(crate) fn together(self, messages: &[&str]) -> String {
        let end = if self == Self::JsonRecordSeparator { "\x1e" } else { "\n" };
        messages.iter().flat_map(|message| [*message, end]).collect()
    }

    /// The text of a message that matchers see as this value, for [`write`](Self::write): what a server says, from a
    /// [`Matcher::message`](super::Matcher::message). A view that is none is written as the JSON that it is.
    pub(crate) fn spell(self, message: &Value) -> String {
        let mut text = Assembly::new();
        self.append(message, &mut text);
        text.as_str().to_owned()
    }

    fn append(self, message: &Value, to: &mut Assembly) {
        let is_view = match self {
            Self::Json | Self::JsonLines | Self::JsonRecordSeparator => false,
            Self::EngineIo => engine_io::append(message, to),
            Self::Nats => nats::append(message, to),
        };
        if !is_view {
            to.push_shown(message);
        }
    }
}

impl<'a> Read<'a> {
    fn json(text: &'a str) -> Self {
        Self { text, value: serde_json::from_str(text).unwrap_or_default() }
    }

    const fn unreadable(text: &'a str) -> Self {
        Self { text, value: Value::Null }
    }
}

fn ended(text: &str, end: &str) -> Secret {
    let mut assembly = Assembly::new();
    assembly.push(text);
    assembly.push(if text.ends_with(end) { "" } else { end });
    assembly.finish()
}
