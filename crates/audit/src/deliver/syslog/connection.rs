//! A connection to a syslog receiver: how it is made, how a message is framed on it, and how bytes get into the kernel.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Write as _};
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::{UnixDatagram, UnixStream};
use tokio_rustls::TlsConnector;

use super::super::sink::SinkError;

/// Where messages go.
#[derive(Clone)]
pub(super) enum Receiver {
    Tcp(String),
    Tls(String, ServerName<'static>, Arc<ClientConfig>),
    #[cfg(unix)]
    Unix(PathBuf),
    #[cfg(unix)]
    Datagram(PathBuf),
}

/// How long a connection, and after it a handshake, may take together.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a receiver has to close a connection that it accepted only to close it: a proxy without its server, or one that does
/// not like our certificate, which in TLS 1.3 it says after the handshake. What is written before that would be lost.
const PROBATION: Duration = Duration::from_millis(100);

impl Receiver {
    pub(super) async fn connect(&self) -> io::Result<Connection> {
        let mut connection = tokio::time::timeout(CONNECT, self.dial()).await??;
        match tokio::time::timeout(PROBATION, connection.ended()).await {
            Ok(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it closes what it accepts")),
            Err(_) => Ok(connection),
        }
    }

    async fn dial(&self) -> io::Result<Connection> {
        let stream: Box<dyn Stream> = match self {
            Self::Tcp(address) => Box::new(tcp(address).await?),
            Self::Tls(address, name, config) => {
                let connector = TlsConnector::from(Arc::clone(config));
                Box::new(connector.connect(name.clone(), tcp(address).await?).await?)
            }
            #[cfg(unix)]
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            #[cfg(unix)]
            Self::Datagram(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                return Ok(Connection::Datagram(socket));
            }
        };
        Ok(Connection::Stream(stream))
    }

    /// How many bytes may be written and not read: what both kernels hold at most, by the defaults of Linux.
    pub(super) const fn window(&self) -> usize {
        match self {
            Self::Tcp(_) | Self::Tls(..) => 36 << 20,
            #[cfg(unix)]
            Self::Unix(_) | Self::Datagram(_) => 1 << 20,
        }
    }
}

async fn tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl fmt::Display for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "tcp {address}"),
            Self::Tls(address, ..) => write!(formatter, "tls {address}"),
            #[cfg(unix)]
            Self::Unix(path) => write!(formatter, "unix {}", path.display()),
            #[cfg(unix)]
            Self::Datagram(path) => write!(formatter, "unix datagram {}", path.display()),
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) enum Connection {
    Stream(Box<dyn Stream>),
    #[cfg(unix)]
    Datagram(UnixDatagram),
}

/// Why not everything was written.
pub(super) enum Fault {
    /// The connection is of no more use.
    Broken,
    /// The socket takes no message of this length.
    #[cfg(unix)]
    TooLong,
}

impl Fault {
    /// After so many messages.
    pub(super) const fn verdict(&self, after: usize) -> SinkError {
        match self {
            Self::Broken => SinkError::retry().after_first(after),
            #[cfg(unix)]
            Self::TooLong => SinkError::refused_at(after),
        }
    }
}

impl Connection {
    /// Appends a message as it goes over this connection.
    pub(super) fn frame(&self, buffer: &mut Vec<u8>, message: &str) {
        if matches!(self, Self::Stream(_)) {
            // A vector takes everything.
            let _ = write!(buffer, "{} ", message.len());
        }
        buffer.extend_from_slice(message.as_bytes());
    }

    /// Writes messages that end at these places, waiting for as long as the receiver takes nothing, and says each time how many
    /// more of them, and bytes, the kernel has.
    pub(super) async fn write(
        &mut self,
        bytes: &[u8],
        ends: &[usize],
        mut wrote: impl FnMut(usize, usize),
    ) -> Result<(), Fault> {
        let (mut offset, mut whole) = (0, 0);
        while let Some(next) = ends.get(whole) {
            offset += match self {
                Self::Stream(stream) => {
                    let rest = &bytes[offset..];
                    poll_fn(|context| poll_write(&mut **stream, rest, context))
                        .await
                        .map_err(|_| Fault::Broken)?
                }
                #[cfg(unix)]
                Self::Datagram(socket) => send(socket, &bytes[offset..*next]).await?,
            };
            let more = ends[whole..].iter().take_while(|end| **end <= offset).count();
            if more > 0 {
                let before = if whole == 0 { 0 } else { ends[whole - 1] };
                whole += more;
                wrote(ends[whole - 1] - before, more);
            }
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.flush().await,
            #[cfg(unix)]
            Self::Datagram(_) => Ok(()),
        }
    }

    pub(super) async fn shutdown(&mut self) {
        if let Self::Stream(stream) = self {
            // It is over either way.
            let _ = stream.shutdown().await;
        }
    }

    /// Whether the receiver has closed it, as far as is known here.
    pub(super) async fn has_ended(&mut self) -> bool {
        poll_fn(|context| Poll::Ready(self.poll_ended(context).is_ready())).await
    }

    /// Waits until the receiver closes it.
    async fn ended(&mut self) {
        poll_fn(|context| self.poll_ended(context)).await;
    }

    fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Stream(stream) => poll_ended(&mut **stream, context),
            // Whoever sends to it finds out.
            #[cfg(unix)]
            Self::Datagram(_) => Poll::Pending,
        }
    }
}

/// Writes some of it. A receiver that reads nothing keeps this waiting; one that has closed does not.
fn poll_write(
    stream: &mut (impl Stream + ?Sized),
    bytes: &[u8],
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    match Pin::new(&mut *stream).poll_write(context, bytes) {
        Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        Poll::Pending => poll_ended(stream, context).map(|()| Err(io::ErrorKind::ConnectionAborted.into())),
        ready => ready,
    }
}

/// A receiver has nothing to say; what it says all the same is thrown away.
fn poll_ended(stream: &mut (impl Stream + ?Sized), context: &mut Context<'_>) -> Poll<()> {
    let mut space = [0; 1_024];
    // One that never stops talking must not keep us from writing.
    for _ in 0..16 {
        let mut said = ReadBuf::new(&mut space);
        match Pin::new(&mut *stream).poll_read(context, &mut said) {
            Poll::Ready(Ok(())) if !said.filled().is_empty() => {}
            Poll::Ready(_) => return Poll::Ready(()),
            Poll::Pending => return Poll::Pending,
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

#[cfg(unix)]
async fn send(socket: &UnixDatagram, message: &[u8]) -> Result<usize, Fault> {
    match socket.send(message).await {
        Ok(_) => Ok(message.len()),
        // EMSGSIZE has no kind of its own in std.
        Err(error) if error.raw_os_error() == Some(90) && cfg!(target_os = "linux") => Err(Fault::TooLong),
        Err(_) => Err(Fault::Broken),
    }
}
