//! One WebSocket: what is sent over it, and how it ends.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use auth_core::time::{Deadline, Now};
use futures_core::Stream as _;
use futures_sink::Sink as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message as Frame;
use tungstenite::error::{Error as WebSocketError, ProtocolError};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

/// How long a peer may take to accept what we send before it is dropped.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// The longest reason of a close frame, in bytes (RFC 6455 §5.5).
const LONGEST_REASON: usize = 123;

/// How long a peer may take to answer a close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// A WebSocket whose upgrade is answered.
pub(crate) struct Socket<S>(WebSocketStream<S>);

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum Ended {
    ByUs,
    ByPeer,
}

impl From<tungstenite::Error> for Ended {
    fn from(_: tungstenite::Error) -> Self {
        Self::ByPeer
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// A socket that reads messages of up to this many bytes. The codec's own limit is 64 MiB, for strangers too.
    pub(crate) async fn new(stream: S, largest: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .max_message_size(Some(largest))
            .max_frame_size(Some(largest));
        Self(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
    }

    /// The next frame, or what is wrong with it.
    pub(crate) async fn next(&mut self) -> Result<Result<Frame, WebSocketError>, Ended> {
        poll_fn(|cx| Pin::new(&mut self.0).poll_next(cx)).await.ok_or(Ended::ByPeer)
    }

    pub(crate) async fn send(&mut self, frame: Frame, patience: Duration) -> Result<(), Ended> {
        let socket = &mut self.0;
        let send = async {
            poll_fn(|cx| Pin::new(&mut *socket).poll_ready(cx)).await?;
            Pin::new(&mut *socket).start_send(frame)?;
            poll_fn(|cx| Pin::new(&mut *socket).poll_flush(cx)).await
        };
        Ok(timeout(patience, send).await.map_err(|_| Ended::ByPeer)??)
    }

    pub(crate) async fn flush(&mut self, patience: Duration) -> Result<(), Ended> {
        let flush = poll_fn(|cx| Pin::new(&mut self.0).poll_flush(cx));
        Ok(timeout(patience, flush).await.map_err(|_| Ended::ByPeer)??)
    }

    /// Says why, and ends the connection once the peer has read it: a socket that is closed with something unread in
    /// it is reset, and the close frame may be lost with it.
    pub(crate) async fn close(&mut self, code: Option<u16>, reason: &str, patience: Duration) -> Ended {
        let end = (0..=LONGEST_REASON).rev().find(|end| reason.is_char_boundary(*end));
        let reason = end.and_then(|end| reason.get(..end.min(reason.len()))).unwrap_or_default();
        let frame = code.map(|code| CloseFrame { code: code.into(), reason: reason.into() });
        if let Err(ended) = self.send(Frame::Close(frame), patience).await {
            return ended;
        }
        let answered = poll_fn(|cx| {
            loop {
                match ready!(Pin::new(&mut self.0).poll_next(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Poll::Ready(()),
                }
            }
        });
        // A peer that does not answer is left alone.
        let _ = timeout(CLOSE_PATIENCE, answered).await;
        Ended::ByUs
    }
}

/// The close code and the reason for a frame that can't be read, as far as the codec lets us say them.
pub(crate) fn fault(error: &WebSocketError, too_large: &'static str) -> Option<(u16, &'static str)> {
    match error {
        WebSocketError::Capacity(_) => Some((1009, too_large)),
        // There is nobody left to say it to.
        WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        WebSocketError::Utf8(_) => Some((1007, "text must be UTF-8")),
        WebSocketError::Protocol(_) => Some((1002, "the frame is against RFC 6455")),
        _ => None,
    }
}

/// How long to wait for a peer that does not read: it can't put off the end of its own time, but for the moment that a close
/// frame takes.
pub(crate) fn write_patience(deadline: Option<Deadline>, now: Now) -> Duration {
    let left = deadline.map_or(WRITE_PATIENCE, |deadline| deadline.remaining(now));
    left.clamp(Duration::from_millis(500), WRITE_PATIENCE)
}
