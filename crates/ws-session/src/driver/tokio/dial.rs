//! Connections on tokio, and the rest of what a session needs of it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use auth_core::loopback::is_loopback;
use auth_core::time::Now;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::Proxy;
use super::proxy::untrusted;
use super::race::{interleaved, race};
use crate::driver::polled::{self, ByteStream, Task};
use crate::driver::{Server, clock};

/// A stream of bytes of tokio's kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How a server is reached: by [`Tcp`], unless a program has other ways, such as a proxy, a socket of its own or a pipe.
///
/// ```
/// use std::{io, pin::Pin, sync::Arc};
///
/// use ws_session::driver::tokio::{Dial, Dialing, Server, Stream};
///
/// /// One pipe to whoever holds its other end.
/// struct Pipe(std::sync::Mutex<Option<tokio::io::DuplexStream>>);
///
/// impl Dial for Pipe {
///     fn dial(&self, _server: &Server) -> Dialing {
///         let pipe = self.0.lock().ok().and_then(|mut pipe| pipe.take());
///         Box::pin(async move {
///             let pipe = pipe.ok_or(io::ErrorKind::ConnectionRefused)?;
///             Ok(Box::new(pipe) as Box<dyn Stream>)
///         })
///     }
/// }
/// ```
pub trait Dial: Send + Sync {
    /// Connects to [`host`](Server::host) and [`port`](Server::port). Encryption is not its business: it comes on top, where
    /// the server [asks](Server::is_encrypted) for it.
    fn dial(&self, server: &Server) -> Dialing;
}

/// A connection that is being made.
pub type Dialing = Task<io::Result<Box<dyn Stream>>>;

/// TCP with `TCP_NODELAY`, directly or [through a proxy](Proxy). The addresses of a name race (RFC 8305): the next is tried when the one
/// before has had 250 ms, or has failed, and each of several has 20 s.
#[derive(Debug, Clone, Default)]
pub struct Tcp {
    proxy: Option<Arc<Proxy>>,
}

impl Tcp {
    /// Directly.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Through a proxy, whatever is not on this machine.
    #[must_use]
    pub fn with_proxy(self, proxy: Proxy) -> Self {
        Self { proxy: Some(Arc::new(proxy)) }
    }
}

impl Dial for Tcp {
    fn dial(&self, server: &Server) -> Dialing {
        let (host, port) = (server.host().to_owned(), server.port());
        let proxy = self.proxy.clone().filter(|_| !is_loopback(&host));
        Box::pin(async move {
            let Some(proxy) = proxy else {
                return Ok(Box::new(connect((&host, port)).await?) as Box<dyn Stream>);
            };
            let tcp = connect(proxy.address()).await?;
            let mut stream: Box<dyn Stream> = match &proxy.tls {
                None => Box::new(tcp),
                Some((config, name)) => {
                    let encrypted = TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp);
                    Box::new(encrypted.await.map_err(untrusted)?)
                }
            };
            proxy.tunnel(&mut stream, &host, port).await?;
            Ok(stream)
        })
    }
}

async fn connect(address: (&str, u16)) -> io::Result<TcpStream> {
    let addresses = interleaved(tokio::net::lookup_host(address).await?);
    let stream = race(addresses, TcpStream::connect).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Tokio, as a [polled](crate::driver::polled) session needs it. Its clock is tokio's, so that a paused runtime pauses it.
pub struct Runtime {
    dialer: Arc<dyn Dial>,
    origin: Instant,
}

impl Runtime {
    /// Tokio, with servers reached by `dialer`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    pub fn new(dialer: Arc<dyn Dial>) -> Self {
        Self { dialer, origin: Instant::now() }
    }
}

impl polled::Runtime for Runtime {
    fn connect(&self, server: Server) -> Task<io::Result<Box<dyn ByteStream>>> {
        let dialing = self.dialer.dial(&server);
        Box::pin(async move {
            let stream = dialing.await?;
            Ok(match server.tls {
                Some((config, name)) => {
                    let stream = TlsConnector::from(config).connect(name, stream).await?;
                    Box::new(Compatible(stream)) as Box<dyn ByteStream>
                }
                None => Box::new(Compatible(stream)),
            })
        })
    }

    fn sleep(&self, duration: Duration) -> Task<()> {
        Box::pin(tokio::time::sleep(duration))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    fn now(&self) -> Now {
        clock::now(self.origin.elapsed())
    }

    fn random(&self) -> [u8; 16] {
        rand::random()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Default for Runtime {
    /// Servers are reached by [`Tcp`].
    fn default() -> Self {
        Self::new(Arc::new(Tcp::new()))
    }
}

/// A stream of tokio's kind as one of all other runtimes'.
struct Compatible<S>(S);

impl<S: AsyncRead + Unpin> futures_io::AsyncRead for Compatible<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl<S: AsyncWrite + Unpin> futures_io::AsyncWrite for Compatible<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
