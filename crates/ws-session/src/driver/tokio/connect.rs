//! Opening a connection: TCP, TLS where the URL asks for it, and the upgrade. Redirects are never followed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::loopback::is_loopback;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, Uri};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::error::Error as WebSocketError;
use tungstenite::protocol::WebSocketConfig;

use crate::ConfigError;
use crate::dialect::Failure;

/// A byte stream, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Where to connect to, and whom to trust there.
///
/// Clones share their TLS tickets, which halve the cost of a reconnect: make one for all sessions of a program.
#[derive(Clone)]
pub struct Target {
    url: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Why a connection could not be opened.
#[derive(Debug)]
pub(super) struct NotOpened {
    pub(super) failure: Failure,
    pub(super) retry_after: Option<Duration>,
}

/// The codec zero-fills its read buffer before each read; at its default of 128 KiB that costs more than all the
/// rest on a small message, and stays resident on every idle connection.
const READ_BUFFER: usize = 16 * 1024;

/// The largest message that is read, in bytes: a megabyte. [`Session`](super::Session) documents it.
const LARGEST_MESSAGE: usize = 1024 * 1024;

impl Target {
    /// The WebSocket at `url`: absolute, `wss`, or `ws` on loopback. TLS trusts the platform's authorities.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the URL is not such, or TLS can't be set up.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let url: Uri = url.parse().map_err(|_| ConfigError::NotAUrl)?;
        let host = url.host().filter(|host| !host.is_empty()).ok_or(ConfigError::NotAUrl)?;
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(ConfigError::NotAUrl);
        }
        let (default_port, encrypted) = match url.scheme_str() {
            Some("wss") => (443, true),
            Some("ws") if is_loopback(host) => (80, false),
            Some("ws") => return Err(ConfigError::Plaintext),
            _ => return Err(ConfigError::NotAUrl),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = if encrypted {
            let name = ServerName::try_from(host.clone()).map_err(|_| ConfigError::NotAUrl)?;
            Some((TlsConnector::from(platform_tls()?), name))
        } else {
            None
        };
        Ok(Self { port: url.port_u16().unwrap_or(default_port), host, url, tls })
    }

    pub(super) async fn open(self) -> Result<Socket, NotOpened> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(transport)?;
        tcp.set_nodelay(true).map_err(transport)?;
        let stream: Box<dyn Stream> = match self.tls {
            Some((connector, name)) => {
                Box::new(connector.connect(name, tcp).await.map_err(|error| tls(&error))?)
            }
            None => Box::new(tcp),
        };
        let request = self.url.into_client_request().map_err(refused)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        upgrade.await.map(|(socket, _)| socket).map_err(refused)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query is left out: in some dialects it is the credential.
        write!(formatter, "Target({}:{}{})", self.host, self.port, self.url.path())
    }
}

/// TLS that trusts the platform's authorities, with a provider named explicitly: a program that compiles in two
/// would panic otherwise.
fn platform_tls() -> Result<Arc<ClientConfig>, ConfigError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(ConfigError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A certificate that is not to be trusted is a verdict; all else in a handshake may be the network's.
fn tls(error: &std::io::Error) -> NotOpened {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let untrusted = matches!(cause, Some(rustls::Error::InvalidCertificate(_)));
    let failure = if untrusted { Failure::Untrusted } else { Failure::Transport };
    NotOpened { failure, retry_after: None }
}

fn transport(_: std::io::Error) -> NotOpened {
    NotOpened { failure: Failure::Transport, retry_after: None }
}

fn refused(error: WebSocketError) -> NotOpened {
    match error {
        WebSocketError::Http(response) => NotOpened {
            failure: Failure::Status(response.status().as_u16()),
            retry_after: retry_after(response.headers()),
        },
        WebSocketError::Io(error) => transport(error),
        WebSocketError::Protocol(tungstenite::error::ProtocolError::HandshakeIncomplete)
        | WebSocketError::ConnectionClosed => NotOpened { failure: Failure::Transport, retry_after: None },
        _ => NotOpened { failure: Failure::Protocol, retry_after: None },
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    auth_core::retry_after::parse(text(RETRY_AFTER)?, text(DATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_ws_is_for_this_machine_only() {
        assert!(Target::new("ws://127.0.0.1:8080/ws").is_ok());
        assert!(Target::new("ws://[::1]:8080/ws").is_ok());
        assert!(matches!(Target::new("ws://api.example.com/ws"), Err(ConfigError::Plaintext)));
        for url in ["", "/ws", "http://127.0.0.1/", "127.0.0.1:8080", "wss://", "ws://user:secret@127.0.0.1/"]
        {
            assert!(matches!(Target::new(url), Err(ConfigError::NotAUrl)), "{url}");
        }
    }

    #[test]
    fn debug_leaves_the_query_out() {
        let target = Target::new("ws://127.0.0.1:8080/ws?access_token=canary").unwrap();
        assert_eq!(format!("{target:?}"), "Target(127.0.0.1:8080/ws)");
    }
}
