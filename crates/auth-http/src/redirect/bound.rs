//! Where redirects arrive: a redirect URI of this machine, and the port that it comes to stand for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use auth_core::loopback::is_loopback;
use auth_core::{Error, ErrorKind};
use http::Uri;
use tokio::net::TcpListener;

use super::head::Head;
use super::page::Page;

/// What a request must be for.
#[derive(Debug)]
pub(super) struct Place {
    uri: String,
    /// The values of `Host` that browsers send for it.
    hosts: Vec<String>,
    path: String,
}

impl Place {
    fn new(host: &str, port: u16, rest: &str, path: &str) -> Self {
        let authority = format!("{host}:{port}");
        let uri = format!("http://{authority}{rest}");
        // Browsers leave the usual port out.
        let hosts = if port == 80 { vec![host.to_owned(), authority] } else { vec![authority] };
        Self { uri, hosts, path: path.to_owned() }
    }

    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// The target of a request for this place.
    pub(super) fn target<'a>(&self, head: &Head<'a>) -> Result<&'a str, Page> {
        if !self.hosts.iter().any(|host| host.eq_ignore_ascii_case(head.host)) {
            return Err(Page::Misdirected);
        }
        let path = head.target.split('?').next().unwrap_or_default();
        if path == self.path { Ok(head.target) } else { Err(Page::NotFound) }
    }
}

/// Takes the port of a redirect URI, or a free one.
pub(super) async fn bind(redirect_uri: &str) -> Result<(Vec<TcpListener>, Place), Error> {
    let uri: Uri = redirect_uri.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    let host = authority.host();
    let is_plain = uri.scheme_str() == Some("http") && !redirect_uri.contains(['#', '?']);
    if !is_plain || authority.as_str().contains('@') || !is_loopback(host) {
        return Err(wrong());
    }
    // What follows the authority as it stands there: servers compare to the letter.
    let rest = redirect_uri.split_once("://").map_or("", |(_, rest)| rest);
    let rest = rest.get(authority.as_str().len()..).unwrap_or_default();
    let port = authority.port_u16().unwrap_or(0);
    let addresses = addresses(host);
    let listeners = listen(&addresses, port).await.map_err(|error| unavailable(port, error))?;
    let port = listeners.first().map_or(Ok(port), |first| first.local_addr().map(|address| address.port()));
    let port = port.map_err(|error| unavailable(0, error))?;
    Ok((listeners, Place::new(host, port, rest, uri.path())))
}

/// The addresses that a host of this machine may stand for; the first is the one that must be had.
fn addresses(host: &str) -> Vec<IpAddr> {
    let bare = host.trim_matches(['[', ']']);
    match bare.parse() {
        Ok(address) => vec![address],
        Err(_) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

/// Listens on one port of all addresses. Where the port is free to choose, one that is free on each is looked for.
async fn listen(addresses: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    const ATTEMPTS: usize = 8;
    let mut taken = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        match listen_once(addresses, port).await {
            Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse => taken = error,
            outcome => return outcome,
        }
    }
    Err(taken)
}

async fn listen_once(addresses: &[IpAddr], mut port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for address in addresses {
        match TcpListener::bind(SocketAddr::new(*address, port)).await {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            // A machine may lack IPv6; somebody else at the other address would get the answers.
            Err(error) if listeners.is_empty() || error.kind() == io::ErrorKind::AddrInUse => {
                return Err(error);
            }
            Err(_) => {}
        }
    }
    Ok(listeners)
}

fn wrong() -> Error {
    Error::new(
        ErrorKind::Misconfigured,
        "the redirect URI must be an http URL of this machine without a query, such as http://127.0.0.1/callback",
    )
}

fn unavailable(port: u16, error: io::Error) -> Error {
    let text = match (port, error.kind()) {
        (0, _) => "no port of this machine can be listened on for the browser's answer".to_owned(),
        (_, io::ErrorKind::AddrInUse) => format!(
            "port {port} of the redirect URI is in use; end the program that has it, or register a URI without a port"
        ),
        (_, io::ErrorKind::PermissionDenied) => {
            format!("port {port} of the redirect URI is not for this user; register one above 1023, or none")
        }
        _ => format!("port {port} of the redirect URI can't be listened on"),
    };
    Error::new(ErrorKind::Misconfigured, text).with_source(error)
}
