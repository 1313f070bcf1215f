//! A proxy on the way to a server: one CONNECT (RFC 9110 §9.3.6), one head in return, and then the server's own bytes.

use std::fmt;
use std::io;
use std::sync::Arc;

use auth_core::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Stream;
use crate::ConfigError;
use crate::dialect::{Assembly, Encoding, Failure};
use crate::driver::target::Trust;
use crate::driver::wire::{NotOpened, ProxyFault, retry_after};

/// An HTTP proxy through whose tunnels servers are reached.
///
/// It sees the server's name and port, and encrypted bytes. Servers on this machine are always reached directly: to a proxy, that name
/// is its own machine.
///
/// ```
/// use ws_session::driver::tokio::Proxy;
///
/// let proxy = Proxy::new("http://user:password@proxy.example:3128")?;
/// assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.example:3128)");
/// # Ok::<(), ws_session::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    /// What to encrypt with on the way to it, for an `https` proxy.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The value of `Proxy-Authorization`.
    credentials: Option<Secret>,
}

impl Proxy {
    /// The proxy at a URL: `http://`, or `https://` for one that itself speaks TLS, with a certificate that the platform trusts; without a
    /// scheme, `http`. Without a port it is the scheme's own. Credentials stand before the host, percent-encoded.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Proxy`] when it is no such URL; SOCKS is not supported. For an `https` proxy also the errors of
    /// [`Target::new`](crate::driver::Target::new).
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Self::trusting(url, &Trust::default())
    }

    /// The same, whose own certificate is from an authority of a PEM file, or one that the platform trusts.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`ConfigError::Tls`] when there is no certificate of an authority in the file.
    pub fn with_roots(url: &str, pem: &[u8]) -> Result<Self, ConfigError> {
        Self::trusting(url, &Trust::of(pem, true)?)
    }

    fn trusting(url: &str, trust: &Trust) -> Result<Self, ConfigError> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(ConfigError::Proxy),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, address) = match authority.rsplit_once('@') {
            Some((credentials, address)) => (Some(basic(credentials)?), address),
            None => (None, authority),
        };
        let (host, port) = crate::address::host_and_port(address).ok_or(ConfigError::Proxy)?;
        let host = host.to_owned();
        let tls = if encrypted {
            let name = ServerName::try_from(host.clone()).map_err(|_| ConfigError::Proxy)?;
            Some((trust.tls()?, name))
        } else {
            None
        };
        let port = port.unwrap_or(if encrypted { 443 } else { 80 });
        Ok(Self { host, port, tls, credentials })
    }

    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Opens a tunnel to a server over a connection to the proxy.
    pub(super) async fn tunnel(&self, stream: &mut Box<dyn Stream>, host: &str, port: u16) -> io::Result<()> {
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = Assembly::new();
        request.push_shown(format_args!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"));
        if let Some(credentials) = &self.credentials {
            request.push("Proxy-Authorization: ");
            request.push(credentials.expose());
            request.push("\r\n");
        }
        request.push("\r\n");
        // In one write, so that it leaves in one packet.
        stream.write_all(request.finish().expose().as_bytes()).await?;
        stream.flush().await?;
        let mut head = Vec::with_capacity(512);
        let end = loop {
            if !b"HTTP/1.".starts_with(&head[..head.len().min(7)]) || head.len() >= LONGEST_HEAD {
                return Err(no_proxy());
            }
            if let Some(start) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                break start + 4;
            }
            if stream.read_buf(&mut head).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        match status(&head).ok_or_else(no_proxy)? {
            // The client of a server speaks first: bytes already here were slipped in.
            200..=299 if head.len() > end => Err(no_proxy()),
            200..=299 => Ok(()),
            status => Err(io::Error::other(ProxyFault::Refused(status, retry_after(&fields(&head[..end]))))),
        }
    }
}

impl fmt::Debug for Proxy {
    /// Leaves the credentials out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls, credentials: _ } = self;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        write!(formatter, "Proxy({scheme}://{host}:{port})")
    }
}

/// The longest head that a proxy may answer with, in bytes. What proxies say here fits into a tenth of it.
const LONGEST_HEAD: usize = 8 * 1024;

fn no_proxy() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, ProxyFault::NotHttp)
}

/// What went wrong with the encryption on the way to a proxy, which must not be taken for the server's.
pub(super) fn untrusted(error: io::Error) -> io::Error {
    match NotOpened::tls(&error).failure {
        Failure::Untrusted => io::Error::new(io::ErrorKind::InvalidData, ProxyFault::Untrusted),
        _ => error,
    }
}

/// The status of a head that begins with `HTTP/1.`.
fn status(head: &[u8]) -> Option<u16> {
    let [_, _, _, _, _, _, _, b'0' | b'1', b' ', digits @ ..] = head else { return None };
    let (digits, rest) = digits.split_at_checked(3)?;
    if !matches!(rest.first(), Some(b' ' | b'\r')) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The header fields of a head, as far as they are any.
fn fields(head: &[u8]) -> HeaderMap {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    let field = |line: &[u8]| {
        let (name, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
        let value = HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?;
        Some((HeaderName::from_bytes(name).ok()?, value))
    };
    lines.filter_map(field).collect()
}

/// Percent-encoded credentials in the form of RFC 7617 §2.
fn basic(credentials: &str) -> Result<Secret, ConfigError> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let decode = |text| Encoding::Url.decode(text).ok_or(ConfigError::Proxy);
    let (user, password) = (decode(user)?, decode(password)?);
    // The first colon ends the name.
    if user.is_empty() || user.expose().contains(':') {
        return Err(ConfigError::Proxy);
    }
    let mut pair = Assembly::new();
    pair.push(user.expose());
    pair.push(":");
    pair.push(password.expose());
    let mut value = Assembly::new();
    value.push("Basic ");
    Encoding::Base64.append(pair.finish().expose(), &mut value);
    Ok(value.finish())
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What the proxy was sent, and what came of its answer.
    async fn tunnel(proxy: &str, host: &str, answer: &[u8]) -> (String, io::Result<()>) {
        let (near, mut far) = duplex(64 * 1024);
        far.write_all(answer).await.unwrap();
        far.shutdown().await.unwrap();
        let mut near: Box<dyn Stream> = Box::new(near);
        let outcome = Proxy::new(proxy).unwrap().tunnel(&mut near, host, 443).await;
        drop(near);
        let mut sent = String::new();
        far.read_to_string(&mut sent).await.unwrap();
        (sent, outcome)
    }

    #[test]
    fn a_url_says_where_the_proxy_is_and_whom_it_knows() {
        for (url, address, credentials) in [
            ("http://proxy:3128", ("proxy", 3128), None),
            ("proxy", ("proxy", 80), None),
            ("HTTP://a%40b:p%3A%25@[::1]:8080/", ("::1", 8080), Some("Basic YUBiOnA6JQ==")),
            ("user@proxy:1", ("proxy", 1), Some("Basic dXNlcjo=")),
        ] {
            let proxy = Proxy::new(url).unwrap();
            assert_eq!(
                (proxy.address(), proxy.credentials.as_ref().map(Secret::expose)),
                (address, credentials)
            );
            assert!(!format!("{proxy:?}").contains('@'), "{proxy:?}");
        }
        for url in [
            "",
            "socks5://proxy",
            "http://",
            "http://:password@proxy",
            "http://a%3Ab:p@proxy",
            "http://%zz@proxy",
            "proxy:port",
        ] {
            assert!(matches!(Proxy::new(url), Err(ConfigError::Proxy)), "{url}");
        }
    }

    #[tokio::test]
    async fn the_request_names_the_server_and_carries_the_credentials() {
        let (sent, outcome) = tunnel("proxy", "ws.example", b"HTTP/1.1 200 OK\r\n\r\n").await;
        outcome.unwrap();
        assert_eq!(sent, "CONNECT ws.example:443 HTTP/1.1\r\nHost: ws.example:443\r\n\r\n");
        let (sent, outcome) = tunnel("a:b@proxy", "2001:db8::1", b"HTTP/1.0 204\r\nVia: x\r\n\r\n").await;
        outcome.unwrap();
        assert!(sent.starts_with("CONNECT [2001:db8::1]:443 "), "{sent}");
        assert!(sent.ends_with("\r\nProxy-Authorization: Basic YTpi\r\n\r\n"), "{sent}");
    }

    #[tokio::test]
    async fn only_a_head_of_http_with_success_and_nothing_after_it_opens_the_tunnel() {
        let long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; 20_000]].concat();
        let cases: [(&[u8], &str); 8] = [
            (b"HTTP/1.1 407 Auth\r\n\r\n", "status 407"),
            (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "status 302"),
            (b"HTTP/1.1 200 OK\r\n\r\nslipped in", "not HTTP"),
            (b"HTTP/1.1 2000 OK\r\n\r\n", "not HTTP"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
            (&long, "not HTTP"),
            (b"HTTP/1.1 200 OK\r\n", "unexpected end of file"),
            (b"", "unexpected end of file"),
        ];
        for (answer, expected) in cases {
            let (_, outcome) = tunnel("proxy", "ws.example", answer).await;
            let error = outcome.unwrap_err().to_string();
            assert!(
                error.contains(expected),
                "{error}: {}",
                String::from_utf8_lossy(&answer[..answer.len().min(40)])
            );
        }
    }

    #[test]
    fn the_certificate_of_a_proxy_is_not_taken_for_the_servers() {
        let unknown = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, unknown());
        let failure = |error| NotOpened::tls(&error).failure;
        assert_eq!(failure(unknown()), Failure::Untrusted, "the server's");
        assert_eq!(failure(untrusted(unknown())), Failure::ProxyUntrusted);
        let reset = io::ErrorKind::ConnectionReset.into();
        assert_eq!(failure(untrusted(reset)), Failure::Transport, "all else is the network's");
    }
}
