//! A WebSocket client by hand: it sends what no library would, and reads what comes.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Frame types of RFC 6455 §5.2.
pub mod opcode {
    /// A continuation of a fragmented message.
    pub const CONTINUATION: u8 = 0x0;
    /// A text message.
    pub const TEXT: u8 = 0x1;
    /// A binary message.
    pub const BINARY: u8 = 0x2;
    /// A close.
    pub const CLOSE: u8 = 0x8;
    /// A ping.
    pub const PING: u8 = 0x9;
    /// A pong.
    pub const PONG: u8 = 0xa;
}

/// The server's half of an upgrade (RFC 6455 §4.2.2), for a test's own server.
///
/// # Errors
///
/// When the client sends no upgrade.
pub async fn accept(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    let request = request(stream).await?;
    stream.write_all(switching_protocols(&request, "")?.as_bytes()).await
}

/// The head of the request that a client sends.
///
/// # Errors
///
/// When the client sends none.
pub async fn request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// The answer to an upgrade request, with further headers, each with its line end.
///
/// # Errors
///
/// When the request is no upgrade.
pub fn switching_protocols(request: &str, headers: &str) -> io::Result<String> {
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    let key = key.ok_or_else(|| io::Error::other("no upgrade"))?;
    let accepted = tungstenite::handshake::derive_accept_key(key.as_bytes());
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accepted}\r\n{headers}\r\n"
    ))
}

/// An upgraded connection.
#[derive(Debug)]
pub struct RawSocket(TcpStream);

impl RawSocket {
    /// Connects to `ws://host:port/path` and upgrades.
    ///
    /// # Errors
    ///
    /// When the server does not answer with 101; the text is the head of its answer.
    pub async fn open(url: &str) -> io::Result<Self> {
        Ok(Self::open_with(url, "").await?.0)
    }

    /// The same with further headers, each with its line end; also gives the head of the answer.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_with(url: &str, headers: &str) -> io::Result<(Self, String)> {
        let (host, path) = url.trim_start_matches("ws://").split_once('/').unwrap_or((url, ""));
        let mut stream = TcpStream::connect(host).await?;
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        if head.starts_with("HTTP/1.1 101 ") { Ok((Self(stream), head)) } else { Err(io::Error::other(head)) }
    }

    /// Sends a frame, masked by zeros; `fin` ends its message.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub async fn send(&mut self, opcode: u8, fin: bool, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![opcode | if fin { 0x80 } else { 0 }];
        match u16::try_from(payload.len()) {
            Ok(length @ 0..=125) => frame.push(0x80 | length as u8),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).await
    }

    /// Sends a text message.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub async fn text(&mut self, text: &str) -> io::Result<()> {
        self.send(opcode::TEXT, true, text.as_bytes()).await
    }

    /// Sends these bytes as they are.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub async fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// The next frame of at most 125 bytes or 64 KiB: its opcode and payload.
    ///
    /// # Errors
    ///
    /// When the connection has ended.
    pub async fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let opcode = self.0.read_u8().await? & 0x0f;
        let length = match self.0.read_u8().await? {
            126 => usize::from(self.0.read_u16().await?),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await?;
        Ok((opcode, payload))
    }

    /// Reads on until the server closes: its close code, or `None` if it ended without one.
    ///
    /// # Panics
    ///
    /// When the server does not end the connection within `patience`.
    #[expect(clippy::panic, reason = "a server that does not close has failed the test")]
    pub async fn close_code(&mut self, patience: Duration) -> Option<u16> {
        let ended = timeout(patience, async {
            loop {
                match self.frame().await {
                    Ok((opcode::CLOSE, payload)) => {
                        return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    }
                    Ok(_) => {}
                    Err(_) => return None,
                }
            }
        });
        match ended.await {
            Ok(code) => code,
            Err(_) => panic!("the server did not end the connection within {patience:?}"),
        }
    }

    /// The two directions, for a test that sends and reads at once.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.0
    }
}
