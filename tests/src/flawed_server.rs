//! A WebSocket server that fails its first clients, each in the way that its test says, and serves those after them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::authority;
use crate::raw_server::RawServer;
use crate::raw_socket::{accept, opcode};

/// A server on a free loopback port that speaks the dialect `genesys`; it ends with this.
#[derive(Debug)]
pub struct FlawedServer {
    server: RawServer,
    open: Arc<watch::Sender<usize>>,
}

/// What says that a credential was accepted.
pub const WELCOME: &str = r#"{"type":"auth","status":"ok","sessionId":"s-1"}"#;

impl FlawedServer {
    /// The first `flawed` connections are treated by `flaw`; what it gives back is ended, and kept until the client has closed it
    /// too. Later connections are served well.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn serve<F>(flawed: usize, flaw: impl Fn(TcpStream) -> F + Send + 'static) -> io::Result<Self>
    where
        F: Future<Output = io::Result<TcpStream>> + Send + 'static,
    {
        Self::serve_over(None, flawed, flaw).await
    }

    /// The same over TLS, if that is given: those that are served well are, and `flaw` has the bytes below it.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn serve_over<F>(
        tls: Option<TlsAcceptor>,
        flawed: usize,
        flaw: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = io::Result<TcpStream>> + Send + 'static,
    {
        let open = Arc::new(watch::Sender::new(0));
        let counted = Arc::clone(&open);
        let server = RawServer::serve(move |stream, number| {
            let open = Arc::clone(&counted);
            open.send_modify(|open| *open += 1);
            let treated: Treated = if number <= flawed {
                Box::pin(end(flaw(stream)))
            } else {
                match tls.clone() {
                    None => Box::pin(end(serve(stream))),
                    Some(tls) => {
                        Box::pin(end(async move { serve(authority::accept(&tls, stream).await?).await }))
                    }
                }
            };
            async move {
                let ended = treated.await;
                open.send_modify(|open| *open -= 1);
                ended
            }
        });
        Ok(Self { server: server.await?, open })
    }

    /// A server without a flaw.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn flawless() -> io::Result<Self> {
        Self::serve(0, |stream| async { Ok(stream) }).await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Waits until no client has a connection open.
    pub async fn until_idle(&self) {
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

type Treated = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

async fn end<S: AsyncRead + AsyncWrite + Unpin>(
    treated: impl Future<Output = io::Result<S>>,
) -> io::Result<()> {
    let mut stream = treated.await?;
    stream.shutdown().await?;
    drain(&mut stream).await
}

/// Reads until the client has closed.
///
/// # Errors
///
/// When it did not close, but reset the connection.
pub async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    while stream.read(&mut [0; 4_096]).await? > 0 {}
    Ok(())
}

/// Upgrades, takes the client's first message for its login, and welcomes it.
///
/// # Errors
///
/// When the client has gone.
pub async fn welcome(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    accept(stream).await?;
    hear(stream).await?;
    stream.write_all(&frame(0x80 | opcode::TEXT, WELCOME.as_bytes())).await
}

/// Serves until the client closes: answers pings and logins, and echoes everything else.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<S> {
    accept(&mut stream).await?;
    loop {
        let (opcode, payload) = hear(&mut stream).await?;
        let answer = match opcode {
            opcode::PING => frame(0x80 | opcode::PONG, &payload),
            opcode::TEXT
                if payload.starts_with(b"{\"type\":\"auth\"") || payload.ends_with(b"\"type\":\"auth\"}") =>
            {
                frame(0x80 | opcode::TEXT, WELCOME.as_bytes())
            }
            _ => frame(0x80 | opcode, &payload),
        };
        stream.write_all(&answer).await?;
        if opcode == opcode::CLOSE {
            return Ok(stream);
        }
    }
}

/// A frame of the server's: its first byte (FIN, reserved bits, opcode), and its payload.
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => frame.push(length as u8),
        Ok(length) => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// The next frame of a client: its opcode and payload.
///
/// # Errors
///
/// When the client has gone.
pub async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let opcode = stream.read_u8().await? & 0x0f;
    let length = match stream.read_u8().await? & 0x7f {
        127 => usize::try_from(stream.read_u64().await?).map_err(io::Error::other)?,
        126 => usize::from(stream.read_u16().await?),
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
    Ok((opcode, payload))
}
