//! Between the machine's words and the codec's: upgrade requests, frames, and what went wrong.

use std::time::Duration;

use auth_core::Secret;
use http::header::{DATE, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderName, HeaderValue};
use tungstenite::Message as Frame;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::error::{Error as CodecError, ProtocolError};
use tungstenite::handshake::client::{Request, Response};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};

use super::message::Message;
use crate::ConfigError;
use crate::dialect::{Failure, Incoming, Rendered, UpgradeRequest};

/// Why a connection could not be opened.
#[derive(Debug)]
pub(super) struct NotOpened {
    pub(super) failure: Failure,
    pub(super) retry_after: Option<Duration>,
}

/// Why a proxy on the way is none.
#[cfg(feature = "tokio")]
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyFault {
    /// It opened no tunnel, with this status, and wants to be left alone for so long.
    #[error(
        "the proxy opened no tunnel to the server (status {0}); look at its URL, its credentials, and what it allows"
    )]
    Refused(u16, Option<Duration>),
    #[error("the proxy's answer is not HTTP; check its URL and its port")]
    NotHttp,
    #[error(
        "the proxy's certificate is not to be trusted; check its URL, and whose certificates are trusted"
    )]
    Untrusted,
}

/// The codec zero-fills its read buffer before each read; at its default of 128 KiB that costs more than all the
/// rest on a small message, and stays resident on every idle connection.
const READ_BUFFER: usize = 16 * 1024;

/// The largest message that is read, in bytes: a megabyte. Each driver's session documents it.
pub(super) const LARGEST_MESSAGE: usize = 1024 * 1024;

/// The largest message that is read before the server has accepted the credential, in bytes.
pub(super) const LARGEST_OF_A_LOGIN: usize = 64 * 1024;

impl NotOpened {
    pub(super) const fn by(failure: Failure) -> Self {
        Self { failure, retry_after: None }
    }

    /// The network's fault.
    pub(super) const fn transport() -> Self {
        Self::by(Failure::Transport)
    }

    /// A URL that is a credential and no address, or TLS that can't be set up.
    pub(super) const fn server(error: &ConfigError) -> Self {
        match error {
            ConfigError::NotAUrl | ConfigError::Plaintext => Self::by(Failure::Unplaceable),
            ConfigError::NoRoots | ConfigError::Tls(_) => Self::by(Failure::Untrusted),
            // Nothing of them is in a URL.
            ConfigError::Proxy | ConfigError::Header(..) => Self::transport(),
        }
    }

    /// A certificate that is not to be trusted is a verdict, and so is a proxy's; all else on the way may be the network's.
    pub(super) fn tls(error: &std::io::Error) -> Self {
        let Some(cause) = error.get_ref() else { return Self::transport() };
        #[cfg(feature = "tokio")]
        if let Some(fault) = cause.downcast_ref() {
            return match fault {
                ProxyFault::Refused(status, retry_after) => {
                    Self { failure: Failure::Proxy(*status), retry_after: *retry_after }
                }
                ProxyFault::NotHttp => Self::by(Failure::NoProxy),
                ProxyFault::Untrusted => Self::by(Failure::ProxyUntrusted),
            };
        }
        match cause.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(_)) => Self::by(Failure::Untrusted),
            _ => Self::transport(),
        }
    }

    /// What the codec says of an upgrade.
    pub(super) fn upgrade(error: CodecError) -> Self {
        match error {
            CodecError::Http(response) => Self {
                failure: Failure::Status(response.status().as_u16()),
                retry_after: retry_after(response.headers()),
            },
            CodecError::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
                Self::by(Failure::Subprotocol)
            }
            CodecError::Io(_)
            | CodecError::ConnectionClosed
            | CodecError::Protocol(ProtocolError::HandshakeIncomplete) => Self::transport(),
            _ => Self::by(Failure::Protocol),
        }
    }
}

/// How long one of several addresses may take: one that is dead leaves some of the time to the others.
#[cfg(feature = "blocking")]
pub(super) fn share(left: Duration, addresses: usize) -> Duration {
    left / u32::try_from(addresses).unwrap_or(u32::MAX).max(1)
}

/// The codec's limits, for every connection.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
}

/// The request as the codec takes it. What can't stand in a header fails here too, whoever built it.
pub(super) fn request(upgrade: &UpgradeRequest) -> Result<Request, NotOpened> {
    let unplaceable = || NotOpened::by(Failure::Unplaceable);
    let mut request = upgrade.url().expose().into_client_request().map_err(|_| unplaceable())?;
    for (name, value) in upgrade.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unplaceable())?;
        request.headers_mut().append(name, sensitive(value).ok_or_else(unplaceable)?);
    }
    if let Some(offered) = upgrade.subprotocol_header() {
        let offered = sensitive(&offered).ok_or_else(unplaceable)?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, offered);
    }
    Ok(request)
}

/// Whether the server's choice of a subprotocol stands.
pub(super) fn check(upgrade: &UpgradeRequest, response: &Response) -> Result<(), NotOpened> {
    let selected = response.headers().get(SEC_WEBSOCKET_PROTOCOL).map(HeaderValue::to_str).transpose();
    let selected = selected.map_err(|_| NotOpened::by(Failure::Subprotocol))?;
    upgrade.check_selected(selected).map_err(|_| NotOpened::by(Failure::Subprotocol))
}

/// What a connection ended with, when the codec can't go on. `closing` says that our own close frame has gone out.
pub(super) fn ended(error: &CodecError, closing: bool) -> Failure {
    match error {
        CodecError::Capacity(_) => Failure::TooLarge,
        CodecError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | CodecError::ConnectionClosed
        | CodecError::AlreadyClosed
        | CodecError::Io(_)
            if closing =>
        {
            closed(None)
        }
        CodecError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Failure::Transport,
        CodecError::Protocol(_) | CodecError::Utf8(_) => Failure::Protocol,
        _ => Failure::Transport,
    }
}

/// What a close frame of the server says.
pub(super) fn closed(frame: Option<CloseFrame>) -> Failure {
    // The codec says so of a code that may not stand in a frame (RFC 6455 §7.4.1), or that it does not know, such as 1014.
    // nats-server sends 1006 when it gives up a connection: that says as much as a close without a code, and a 1002 would be
    // somebody's fault.
    let replaced = (CloseCode::Protocol, "Protocol violation");
    let frame = frame.filter(|frame| (frame.code, frame.reason.as_str()) != replaced);
    let (code, reason) = match frame {
        Some(frame) => (Some(u16::from(frame.code)), frame.reason.as_str().to_owned()),
        None => (None, String::new()),
    };
    Failure::Closed { code, reason }
}

/// The close frame of a user, or a machine, that has no more to say.
pub(super) fn goodbye() -> CloseFrame {
    CloseFrame { code: CloseCode::Normal, reason: "".into() }
}

/// A message of the dialect's as a frame. The codec owns it, masks it in place and frees it without wiping it, as it does with what it reads:
/// a credential in a message, unlike one in its [`Secret`], may stay in freed memory until that is used again.
pub(super) fn frame_of(rendered: &Rendered) -> Frame {
    let text = rendered.text.expose();
    if rendered.binary { Frame::binary(text.as_bytes().to_vec()) } else { Frame::text(text) }
}

/// A frame with a message in it as the machine looks at it; `None` for control frames.
pub(super) fn incoming(frame: &Frame) -> Option<Incoming<'_>> {
    match frame {
        Frame::Text(text) => Some(Incoming::Text(text.as_str())),
        Frame::Binary(bytes) => Some(Incoming::Binary(bytes)),
        Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) | Frame::Frame(_) => None,
    }
}

/// A frame's message for the user; `None` for control frames.
pub(super) fn message(frame: Frame) -> Option<Message> {
    match frame {
        Frame::Text(text) => Some(Message::Text(text.as_str().to_owned())),
        Frame::Binary(bytes) => Some(Message::Binary(bytes)),
        Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) | Frame::Frame(_) => None,
    }
}

impl From<&Message> for Frame {
    fn from(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::text(text.as_str()),
            Message::Binary(bytes) => Self::Binary(bytes.clone()),
        }
    }
}

/// A value of a header as it is safe to send.
#[cfg(feature = "polled")]
pub(super) fn header_value(value: &Secret) -> Option<HeaderValue> {
    sensitive(value).filter(|_| crate::dialect::is_header_value(value.expose()))
}

fn sensitive(value: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    auth_core::retry_after::parse(text(RETRY_AFTER)?, text(DATE))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tungstenite::WebSocket;
    use tungstenite::protocol::Role;

    use super::*;

    /// What a server's close frame with this payload ends with.
    fn heard(code: u16, reason: &str) -> Failure {
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        let frame = [&[0x88, payload.len() as u8][..], &payload].concat();
        match WebSocket::from_raw_socket(Cursor::new(frame), Role::Client, None).read().unwrap() {
            Frame::Close(frame) => closed(frame),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_close_code_that_may_not_stand_in_a_frame_says_nothing() {
        for code in [1004, 1005, 1006, 1015] {
            assert_eq!(heard(code, "gone"), Failure::Closed { code: None, reason: String::new() }, "{code}");
        }
        for (code, reason) in
            [(1002, "bad token"), (1002, ""), (1008, "Protocol violation"), (4403, "Forbidden")]
        {
            assert_eq!(heard(code, reason), Failure::Closed { code: Some(code), reason: reason.to_owned() });
        }
    }
}
