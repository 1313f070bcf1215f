//! A tunnel through an HTTP proxy (RFC 9110 §9.3.6): one CONNECT, one head in return, and then the server's own bytes.

use std::io;

use auth_core::Secret;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::fault::Cause;

/// The longest head that a proxy may answer with, in bytes. What proxies say here fits into a tenth of it.
const LONGEST_HEAD: usize = 8 * 1024;

/// Opens a tunnel to `authority`, a host and port, over a connection to the proxy.
///
/// `credentials` is the value of `Proxy-Authorization`. Only the proxy sees it: the server's request is encrypted
/// inside the tunnel.
///
/// # Errors
///
/// The status, when it is none of success; [`Cause::NoHttp`] when the answer is none, or is followed by bytes that
/// nobody can have asked for yet.
pub(super) async fn open(
    proxy: &mut (impl AsyncRead + AsyncWrite + Unpin),
    authority: &str,
    credentials: Option<&Secret>,
) -> Result<(), Cause> {
    let authorization = match credentials {
        Some(value) => Secret::from(format!("Proxy-Authorization: {}\r\n", value.expose())),
        None => Secret::from(""),
    };
    // In one write, so that it leaves in one packet; as a secret, so that it is wiped.
    let request = Secret::from(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{}\r\n",
        authorization.expose()
    ));
    proxy.write_all(request.expose().as_bytes()).await.map_err(Cause::Failed)?;
    proxy.flush().await.map_err(Cause::Failed)?;
    let mut head = Vec::with_capacity(512);
    let end = loop {
        if head.len() >= LONGEST_HEAD {
            return Err(Cause::NoHttp);
        }
        if proxy.read_buf(&mut head).await.map_err(Cause::Failed)? == 0 {
            return Err(Cause::Failed(io::ErrorKind::UnexpectedEof.into()));
        }
        if !b"HTTP/1.".starts_with(&head[..head.len().min(7)]) {
            return Err(Cause::NoHttp);
        }
        if let Some(start) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break start + 4;
        }
    };
    match status(&head) {
        // Both TLS and HTTP let the client speak first: bytes already here were slipped in.
        Some(200..=299) if head.len() > end => Err(Cause::NoHttp),
        Some(200..=299) => Ok(()),
        Some(status) => Err(Cause::Status(status)),
        None => Err(Cause::NoHttp),
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

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What the proxy was sent, and what came of its answer.
    async fn tunnel(answer: &[u8], credentials: Option<&Secret>) -> (String, Result<(), Cause>) {
        let (mut near, mut far) = duplex(64 * 1024);
        far.write_all(answer).await.unwrap();
        far.shutdown().await.unwrap();
        let outcome = open(&mut near, "login.example:443", credentials).await;
        drop(near);
        let mut sent = String::new();
        far.read_to_string(&mut sent).await.unwrap();
        (sent, outcome)
    }

    #[tokio::test]
    async fn the_request_names_the_server_and_carries_the_credentials() {
        let (sent, outcome) = tunnel(b"HTTP/1.1 200 OK\r\n\r\n", None).await;
        assert!(outcome.is_ok());
        assert_eq!(sent, "CONNECT login.example:443 HTTP/1.1\r\nHost: login.example:443\r\n\r\n");
        let credentials = Secret::from("Basic YTpi");
        let (sent, outcome) = tunnel(b"HTTP/1.0 204\r\nVia: x\r\n\r\n", Some(&credentials)).await;
        assert!(outcome.is_ok());
        assert!(sent.ends_with("\r\nProxy-Authorization: Basic YTpi\r\n\r\n"), "{sent}");
    }

    #[tokio::test]
    async fn only_a_head_of_http_with_success_and_nothing_after_it_opens_the_tunnel() {
        let long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; 20_000]].concat();
        let cases: [(&[u8], &str); 11] = [
            (b"HTTP/1.1 407 Auth\r\n\r\n", "Status(407)"),
            (b"HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nbad", "Status(502)"),
            (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "Status(302)"),
            (b"HTTP/1.1 200 OK\r\n\r\nslipped in", "NoHttp"),
            (b"HTTP/1.1 2000 OK\r\n\r\n", "NoHttp"),
            (b"HTTP/1.1 +20 OK\r\n\r\n", "NoHttp"),
            (b"HTTP/2.0 200 OK\r\n\r\n", "NoHttp"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "NoHttp"),
            (&long, "NoHttp"),
            (b"HTTP/1.1 200 OK\r\n", "Failed(Kind(UnexpectedEof))"),
            (b"", "Failed(Kind(UnexpectedEof))"),
        ];
        for (answer, expected) in cases {
            let (_, outcome) = tunnel(answer, None).await;
            let shown = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
            assert_eq!(format!("{:?}", outcome.unwrap_err()), expected, "{shown:?}");
        }
    }
}
