//! From a URL to a connection that HTTP can be spoken on: resolution, address race, proxy, TLS, each with its deadline.

mod fault;
mod race;
mod resolve;
mod stream;
mod tunnel;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) use self::fault::Fault;
use self::fault::{Cause, Peer, Phase};
pub use self::resolve::Resolve;
pub(crate) use self::resolve::System;
use self::stream::Bytes;
pub(crate) use self::stream::Stream;
use super::proxy::{Proxy, Via};

/// How to get connections.
pub(crate) struct Settings {
    /// The TLS of servers; `None` for a client that speaks none.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// The TLS of proxies, without the client's certificate, which is none of their business.
    pub(crate) proxy_tls: Option<Arc<ClientConfig>>,
    /// Whether `http` URLs are allowed.
    pub(crate) plaintext: bool,
    pub(crate) proxy: Proxy,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) deadlines: Deadlines,
}

/// How long each phase may take. The phases come one after another; the client's total timeout bounds them all.
#[derive(Debug, Clone)]
pub(crate) struct Deadlines {
    pub(crate) resolution: Duration,
    pub(crate) connecting: Duration,
    pub(crate) proxy: Duration,
    pub(crate) tls: Duration,
}

impl Default for Deadlines {
    /// Ten seconds each; [`Builder`](super::Builder) says why.
    fn default() -> Self {
        let each = Duration::from_secs(10);
        Self { resolution: each, connecting: each, proxy: each, tls: each }
    }
}

impl Settings {
    /// A connection to the server of this URL, and whether HTTP/2 is spoken on it.
    pub(super) async fn dial(&self, uri: &Uri) -> Result<(Stream, bool), Fault> {
        let tls = match (uri.scheme_str(), &self.tls) {
            (Some("https"), Some(tls)) => Some(tls),
            (Some("https"), None) => {
                return Err(Fault::unsupported("this client speaks no TLS; build it with roots"));
            }
            (Some("http"), _) if self.plaintext => None,
            (Some("http"), _) => {
                return Err(Fault::unsupported("the URL must use https: this client allows no plain http"));
            }
            _ => return Err(Fault::unsupported("the URL must begin with https://")),
        };
        let host = uri.host().map(bare).filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| Fault::unsupported("the URL has no host"))?;
        let port = uri.port_u16().unwrap_or_else(|| if tls.is_some() { 443 } else { 80 });
        let bytes: Box<dyn Bytes> = match self.proxy.between(tls.is_some(), host, port) {
            None => Box::new(self.connect(Peer::Server, host, port).await?),
            Some(via) => self.tunnel(via, host, port).await?,
        };
        let Some(tls) = tls else { return Ok((Stream(bytes), false)) };
        let stream = self.encrypt(tls, Peer::Server, host, bytes).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Stream(Box::new(stream)), http2))
    }

    async fn encrypt<T: Bytes>(
        &self,
        tls: &Arc<ClientConfig>,
        peer: Peer,
        host: &str,
        bytes: T,
    ) -> Result<TlsStream<T>, Fault> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Fault::unsupported("the URL's host is no name that a certificate could be for"))?;
        let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, bytes);
        within(self.deadlines.tls, Phase::Tls, peer, async { handshake.await.map_err(Cause::Failed) }).await
    }

    /// A TCP connection, to whichever address of `host` is the first to answer.
    async fn connect(&self, peer: Peer, host: &str, port: u16) -> Result<TcpStream, Fault> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                within(self.deadlines.resolution, Phase::Resolution, peer, async {
                    self.resolver.resolve(host).await.map_err(Cause::Failed)
                })
                .await?
            }
        };
        let addresses = race::interleaved(addresses, port);
        let connected = race::race(addresses, async |address| {
            let stream = TcpStream::connect(address).await?;
            // A request is written whole: nothing is gained by waiting for more of it.
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        within(self.deadlines.connecting, Phase::Connecting, peer, async {
            connected.await.map_err(Cause::Failed)
        })
        .await
    }

    /// A tunnel to `host`, for plain HTTP as well: in a request of its own the proxy would see credentials, could
    /// repeat it, and its answers could not be told from the server's.
    async fn tunnel(&self, via: &Via, host: &str, port: u16) -> Result<Box<dyn Bytes>, Fault> {
        let tcp = self.connect(Peer::Proxy, via.host(), via.port()).await?;
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut bytes: Box<dyn Bytes> = match (via.is_encrypted(), &self.proxy_tls) {
            (false, _) => Box::new(tcp),
            (true, Some(tls)) => Box::new(self.encrypt(tls, Peer::Proxy, via.host(), tcp).await?),
            (true, None) => return Err(Fault::unsupported("an https proxy needs a client with roots")),
        };
        within(
            self.deadlines.proxy,
            Phase::Proxy,
            Peer::Proxy,
            tunnel::open(&mut bytes, &authority, via.credentials()),
        )
        .await?;
        Ok(bytes)
    }
}

/// What `work` comes to, if it does so in time.
async fn within<T>(
    limit: Duration,
    phase: Phase,
    peer: Peer,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Fault> {
    let outcome = timeout(limit, work).await.unwrap_or(Err(Cause::TimedOut(limit)));
    outcome.map_err(|cause| Fault::new(phase, peer, cause))
}

/// The host without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests;
