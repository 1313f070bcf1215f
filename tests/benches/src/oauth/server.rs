//! A token endpoint that costs next to nothing: it answers whatever it is asked with the same bytes, at once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server was sent first, to tell whether two clients say the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// The first request, as text; empty before there was one.
    pub(super) fn first(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Listens on a free port of this machine, on the runtime that this is called in.
#[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
#[expect(clippy::disallowed_methods, reason = "the server runs beside the client")]
pub(super) async fn serve() -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let heard = Heard::default();
    let kept = heard.clone();
    tokio::spawn(async move {
        let reply = reply();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, reply.clone(), kept.clone()));
        }
    });
    (address, heard)
}

/// One read and one write for each request; nothing is allocated after the first.
async fn answer(mut stream: TcpStream, reply: Arc<[u8]>, heard: Heard) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(4_096);
    loop {
        request.clear();
        while !is_whole(&request) {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        {
            let mut first = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_empty() {
                first.extend_from_slice(&request);
            }
        }
        stream.write_all(&reply).await?;
    }
}

/// Whether a request is here to its last byte: these forms end in the value of their only parameter.
fn is_whole(request: &[u8]) -> bool {
    request.ends_with(b"=client_credentials")
}

/// An answer as servers give it: a token of 800 characters, and the headers that RFC 6749 §5.1 wants.
fn reply() -> Arc<[u8]> {
    let token = "x".repeat(800);
    let body = format!(r#"{{"access_token":"{token}","token_type":"bearer","expires_in":3600}}"#);
    let head = "HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\n\
                Cache-Control: no-store\r\nPragma: no-cache\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes().into()
}
