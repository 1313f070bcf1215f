//! The user's messages, and those that come back.

use std::fmt;

use bytes::Bytes;

#[cfg(feature = "tokio")]
use crate::dialect::Rendered;

/// A message of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

#[cfg(feature = "tokio")]
impl From<Rendered> for Message {
    fn from(Rendered { text, binary }: Rendered) -> Self {
        let text = text.expose().to_owned();
        if binary { Self::Binary(Bytes::from(text)) } else { Self::Text(text) }
    }
}

/// A message that was not sent, or that may not have been.
#[derive(Debug)]
pub struct SendError {
    message: Option<Message>,
    reason: Unsent,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsent {
    /// The session has ended.
    Ended,
    /// The connection broke while it was being sent: it may have arrived.
    MayHaveArrived,
    /// As much waits already as may.
    QueueFull,
    /// It waited, and newer messages took its place.
    Dropped,
}

impl SendError {
    pub(super) const fn new(message: Message, reason: Unsent) -> Self {
        Self { message: Some(message), reason }
    }

    /// Nobody knows what became of it.
    #[cfg(feature = "tokio")]
    pub(super) const fn lost() -> Self {
        Self { message: None, reason: Unsent::MayHaveArrived }
    }

    /// The message, to try again with; `None` only when the driver was dropped together with it.
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        self.message
    }

    /// Why it was not sent.
    #[must_use]
    pub const fn reason(&self) -> Unsent {
        self.reason
    }

    /// Whether bytes of it may have left: the connection broke while it was being sent.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        self.reason == Unsent::MayHaveArrived
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.reason {
            Unsent::Ended => "the session has ended and the message was not sent",
            Unsent::MayHaveArrived => {
                "the connection broke while the message was being sent; it may have arrived"
            }
            Unsent::Dropped => "the message was not sent, as newer ones took its place",
            Unsent::QueueFull => "too many messages wait to be sent; send it again when some have gone",
        })
    }
}

impl std::error::Error for SendError {}
