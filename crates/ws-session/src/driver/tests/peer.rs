//! Servers at the other ends of pipes in memory, frame by frame: no codec but the one under test.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Error, Observer, Secret, Token, TokenSource};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::driver::tokio::{Dial, Dialing, Server, Stream};

pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;

/// Makes a pipe for each connection, and hands its other end to the test.
pub(super) struct Pipes {
    capacity: usize,
    /// Set, a write fails before anything else is read: the peer has gone, and what it said last is still on its way.
    pub(super) cut: Arc<AtomicBool>,
    ends: mpsc::UnboundedSender<Peer>,
}

impl Pipes {
    pub(super) fn new(capacity: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<Peer>) {
        let (ends, peers) = mpsc::unbounded_channel();
        (Arc::new(Self { capacity, cut: Arc::default(), ends }), peers)
    }
}

impl Dial for Pipes {
    fn dial(&self, _server: &Server) -> Dialing {
        let (ours, theirs) = duplex(self.capacity);
        let peer = Peer { stream: theirs, request: String::new() };
        let taken = self.ends.send(peer).map_err(|_| io::ErrorKind::ConnectionRefused.into());
        let ours = Cut { stream: ours, cut: Arc::clone(&self.cut), failed: false };
        Box::pin(async move { taken.map(|()| Box::new(ours) as Box<dyn Stream>) })
    }
}

/// A pipe that can be cut in one direction.
struct Cut {
    stream: DuplexStream,
    cut: Arc<AtomicBool>,
    failed: bool,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.load(Ordering::Relaxed) && !self.failed {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Cut {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.cut.load(Ordering::Relaxed) {
            self.failed = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The server's end of one connection.
pub(super) struct Peer {
    pub(super) stream: DuplexStream,
    pub(super) request: String,
}

impl Peer {
    /// Reads the upgrade, and agrees to it.
    pub(super) async fn upgrade(&mut self) {
        self.upgrade_with("").await;
    }

    pub(super) async fn upgrade_with(&mut self, headers: &str) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        self.request = String::from_utf8(head).unwrap();
        let key = self.request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        let reply = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        );
        self.stream.write_all(reply.as_bytes()).await.unwrap();
    }

    /// Reads the message that logs in, or renews, and accepts its token.
    pub(super) async fn accept(&mut self) -> String {
        let (opcode, login) = self.frame().await.unwrap();
        assert_eq!(opcode, TEXT);
        self.send(TEXT, br#"{"type":"auth","status":"ok","sessionId":"s"}"#).await.unwrap();
        String::from_utf8(login).unwrap()
    }

    /// Upgrades and accepts.
    pub(super) async fn log_in(&mut self) {
        self.upgrade().await;
        self.accept().await;
    }

    pub(super) async fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x80 | opcode];
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ 0..=125), _) => frame.push(length),
            (_, Ok(length)) => {
                frame.push(126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            (_, Err(_)) => {
                frame.push(127);
                frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await
    }

    /// The next frame; an error when the client has ended the connection.
    pub(super) async fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let opcode = self.stream.read_u8().await? & 0x0f;
        let length = match self.stream.read_u8().await? & 0x7f {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            length => u64::from(length),
        };
        let mut mask = [0; 4];
        self.stream.read_exact(&mut mask).await?;
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok((opcode, payload))
    }

    /// The next frame, which must be a text.
    pub(super) async fn text(&mut self) -> String {
        let (opcode, payload) = self.frame().await.unwrap();
        assert_eq!(opcode, TEXT, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    /// Reads until the connection has ended: the close code that came before, if one did.
    pub(super) async fn ended(&mut self) -> Option<u16> {
        let mut code = None;
        while let Ok((opcode, payload)) = self.frame().await {
            if opcode == CLOSE {
                code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
        }
        code
    }
}

/// Numbers its tokens, and says how long they live.
pub(super) struct Numbered {
    issued: AtomicU64,
    lifetime: Option<(Duration, Duration)>,
}

impl Numbered {
    pub(super) const fn new() -> Self {
        Self { issued: AtomicU64::new(0), lifetime: None }
    }

    pub(super) fn for_ever() -> Arc<Self> {
        Arc::new(Self::new())
    }

    /// Tokens that live for so long, and should be renewed after so long.
    pub(super) fn living(lifetime: Duration, renew_in: Duration) -> Arc<Self> {
        Arc::new(Self { issued: AtomicU64::new(0), lifetime: Some((lifetime, renew_in)) })
    }
}

#[async_trait]
impl TokenSource for Numbered {
    async fn token(&self, _demand: Demand) -> Result<Token, Error> {
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        let generation = (0..number).fold(Generation::NONE, |generation, _| generation.next());
        let token = Token::new(Secret::from(format!("token-{number}"))).with_generation(generation);
        Ok(match self.lifetime {
            Some((lifetime, renew_in)) => token.with_expires_in(lifetime).with_renew_in(renew_in),
            None => token,
        })
    }
}

/// A source that is asked, and never answers.
pub(super) struct Mute;

#[async_trait]
impl TokenSource for Mute {
    async fn token(&self, _demand: Demand) -> Result<Token, Error> {
        pending().await
    }
}

/// How a connection was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) reason: String,
    pub(super) code: Option<u16>,
    pub(super) retry_in: Option<Duration>,
}

/// Keeps what is observed, each with its time.
#[derive(Clone, Default)]
pub(super) struct Diary(Arc<Mutex<Vec<(Instant, AuthEvent)>>>);

impl Diary {
    #[expect(clippy::disallowed_methods, reason = "a test's clock")]
    fn now() -> Instant {
        Instant::now()
    }

    /// When each of these was observed.
    pub(super) fn find<T>(&self, matching: impl Fn(&AuthEvent) -> Option<T>) -> Vec<(Instant, T)> {
        let found = |(at, event): &(Instant, AuthEvent)| matching(event).map(|found| (*at, found));
        self.0.lock().unwrap().iter().filter_map(found).collect()
    }

    /// When connections were lost, why, and how long the session waits then.
    pub(super) fn losses(&self) -> Vec<(Instant, Loss)> {
        self.find(|event| match event {
            AuthEvent::ConnectionLost { reason, code, retry_in, .. } => {
                Some(Loss { reason: reason.as_str().to_owned(), code: *code, retry_in: *retry_in })
            }
            _ => None,
        })
    }
}

impl Observer for Diary {
    fn observe(&self, event: &AuthEvent) {
        self.0.lock().unwrap().push((Self::now(), event.clone()));
    }
}
