//! The codec over a stream that is polled.
//!
//! One task reads and writes, so one waker serves both. The adapters that others have written keep the codec's settings to
//! themselves, which a login needs smaller than what follows it.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tungstenite::error::Error as CodecError;
use tungstenite::handshake::client::{Request, Response};
use tungstenite::handshake::{HandshakeError, client::ClientHandshake};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message as Frame, WebSocket};

use super::ahead::Ahead;
use super::runtime::ByteStream;
use crate::driver::head::Head;

/// A WebSocket that is open.
pub(super) struct Socket {
    codec: WebSocket<Polled>,
    /// Whether the codec took the last frame without being held up.
    ready: bool,
}

/// A stream that blocks as the codec understands it, and wakes whoever polled last.
struct Polled {
    stream: Box<dyn ByteStream>,
    waker: Waker,
    head: Head,
    /// Bytes came since somebody asked.
    heard: bool,
    /// Bytes went out since somebody asked.
    wrote: bool,
    ahead: Ahead,
}

impl Socket {
    /// Asks for the upgrade, and follows no redirect.
    pub(super) async fn upgrade(
        request: Request,
        stream: Box<dyn ByteStream>,
        limits: WebSocketConfig,
    ) -> Result<(Self, Response), CodecError> {
        let (head, ahead) = (Head::new(), Ahead::new());
        let stream = Polled { stream, waker: Waker::noop().clone(), head, heard: false, wrote: false, ahead };
        let mut handshake = Some(ClientHandshake::start(stream, request, Some(limits))?);
        poll_fn(move |cx| {
            let Some(mut halfway) = handshake.take() else { return Poll::Pending };
            halfway.get_mut().get_mut().waker.clone_from(cx.waker());
            match halfway.handshake() {
                Ok((codec, response)) => Poll::Ready(Ok((Self { codec, ready: true }, response))),
                Err(HandshakeError::Failure(error)) => Poll::Ready(Err(error)),
                Err(HandshakeError::Interrupted(halfway)) => {
                    handshake = Some(halfway);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// How large a message may be, in bytes.
    pub(super) fn allow(&mut self, largest: usize) {
        self.codec.set_config(|config| {
            config.max_message_size = Some(largest);
            config.max_frame_size = Some(largest);
        });
    }

    pub(super) fn poll_read(&mut self, cx: &Context<'_>) -> Poll<Result<Frame, CodecError>> {
        self.blocking(cx, WebSocket::read)
    }

    /// Whether any bytes came since this was asked last: those of a frame that is not whole yet count too.
    pub(super) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.codec.get_mut().heard)
    }

    /// Whether any bytes went out since this was asked last.
    pub(super) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.codec.get_mut().wrote)
    }

    /// Whether another frame may be given to the codec before it is flushed.
    pub(super) const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Gives the codec a frame, which goes out with the next flush at the latest.
    pub(super) fn start_send(&mut self, cx: &Context<'_>, frame: Frame) -> Result<(), CodecError> {
        match self.blocking(cx, |codec| codec.write(frame)) {
            Poll::Ready(written) => written,
            // It was taken all the same.
            Poll::Pending => {
                self.ready = false;
                Ok(())
            }
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), CodecError>> {
        let flushed = ready!(self.blocking(cx, WebSocket::flush));
        self.ready = true;
        Poll::Ready(flushed)
    }

    fn blocking<T>(
        &mut self,
        cx: &Context<'_>,
        act: impl FnOnce(&mut WebSocket<Polled>) -> Result<T, CodecError>,
    ) -> Poll<Result<T, CodecError>> {
        self.codec.get_mut().waker.clone_from(cx.waker());
        match act(&mut self.codec) {
            Err(CodecError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }
}

impl Polled {
    fn blocking<T>(
        &mut self,
        act: impl FnOnce(Pin<&mut dyn ByteStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        match act(Pin::new(&mut *self.stream), &mut Context::from_waker(&self.waker)) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Polled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.head.is_over() {
            let mut ahead = std::mem::replace(&mut self.ahead, Ahead::new());
            let read = ahead.read(buffer, |into| {
                let read = self.blocking(|stream, cx| stream.poll_read(cx, into))?;
                self.heard |= read > 0;
                Ok(read)
            });
            self.ahead = ahead;
            return read;
        }
        let mut head = std::mem::replace(&mut self.head, Head::new());
        let read = head.read(buffer, |piece| self.blocking(|stream, cx| stream.poll_read(cx, piece)));
        self.head = head;
        read
    }
}

impl Write for Polled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.blocking(|stream, cx| stream.poll_write(cx, bytes))? {
            // The codec takes a stream that takes nothing for a mistake of its own, and panics.
            0 if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            written => {
                self.wrote = true;
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blocking(|stream, cx| stream.poll_flush(cx))
    }
}
