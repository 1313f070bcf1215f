//! The server's half of HTTP/2 (RFC 9113) by hand: frames, and nothing that would stop a test from sending wrong ones.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Frame types of RFC 9113 §6.
pub mod frame {
    /// A part of a body.
    pub const DATA: u8 = 0x0;
    /// The head of a message.
    pub const HEADERS: u8 = 0x1;
    /// The end of a stream before its time.
    pub const RST_STREAM: u8 = 0x3;
    /// The settings of one side.
    pub const SETTINGS: u8 = 0x4;
    /// The end of a connection.
    pub const GOAWAY: u8 = 0x7;
    /// The rest of a head.
    pub const CONTINUATION: u8 = 0x9;
}

/// Flags of RFC 9113 §6.
pub mod flag {
    /// The receipt of settings.
    pub const ACK: u8 = 0x1;
    /// No more of this message.
    pub const END_STREAM: u8 = 0x1;
    /// No more of this head.
    pub const END_HEADERS: u8 = 0x4;
}

/// `:status: 200`, as HPACK (RFC 7541) puts it.
pub const STATUS_200: &[u8] = &[0x88];

/// One header in HPACK, without the tables; name and value may have at most 126 bytes, the value 16 K more if need be.
#[must_use]
pub fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0x00, name.len() as u8];
    bytes.extend_from_slice(name.as_bytes());
    match value.len().checked_sub(127) {
        None => bytes.push(value.len() as u8),
        Some(mut rest) => {
            bytes.push(127);
            while rest >= 128 {
                bytes.push((rest % 128) as u8 | 0x80);
                rest /= 128;
            }
            bytes.push(rest as u8);
        }
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

/// A connection whose client has been greeted.
#[derive(Debug)]
pub struct Connection<T>(T);

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// Reads the client's preface and sends settings, all of them the defaults.
    ///
    /// # Errors
    ///
    /// When the client speaks no HTTP/2.
    pub async fn greet(mut stream: T) -> io::Result<Self> {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await?;
        if &preface != b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
            return Err(io::Error::other("no preface"));
        }
        let mut connection = Self(stream);
        connection.send(frame::SETTINGS, 0, 0, b"").await?;
        Ok(connection)
    }

    /// Reads frames until a request has come in whole; its stream. Everything but its end is passed over.
    ///
    /// # Errors
    ///
    /// When the connection ends.
    pub async fn request(&mut self) -> io::Result<u32> {
        loop {
            let (kind, flags, stream, _) = self.frame().await?;
            match kind {
                frame::SETTINGS if flags & flag::ACK == 0 => {
                    self.send(frame::SETTINGS, flag::ACK, 0, b"").await?;
                }
                frame::DATA | frame::HEADERS if flags & flag::END_STREAM != 0 => return Ok(stream),
                _ => {}
            }
        }
    }

    /// A whole reply with status 200.
    ///
    /// # Errors
    ///
    /// When the connection ends.
    pub async fn reply(&mut self, stream: u32, body: &str) -> io::Result<()> {
        self.send(frame::HEADERS, flag::END_HEADERS, stream, STATUS_200).await?;
        self.send(frame::DATA, flag::END_STREAM, stream, body.as_bytes()).await
    }

    /// Sends one frame.
    ///
    /// # Errors
    ///
    /// When the connection ends.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
        let mut bytes = length.to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.0.write_all(&bytes).await?;
        self.0.flush().await
    }

    /// The next frame: its type, flags, stream and payload.
    ///
    /// # Errors
    ///
    /// When the connection ends.
    pub async fn frame(&mut self) -> io::Result<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).await?;
        Ok((kind, flags, u32::from_be_bytes(stream), payload))
    }
}
