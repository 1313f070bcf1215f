//! An HTTP proxy for tests: it tunnels to one server, whatever it is asked for, and keeps what it was asked.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::raw_server::RawServer;
use crate::{authority, script};

/// A proxy; it ends with this.
#[derive(Debug)]
pub struct Proxy {
    server: RawServer,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Tunnels to `target` whoever presents `authorization`, or everybody if that is `None`; it speaks TLS if it is given any.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn serve(
        target: SocketAddr,
        authorization: Option<String>,
        tls: Option<TlsAcceptor>,
    ) -> io::Result<Self> {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        let server = RawServer::serve(move |stream, _| {
            let (authorization, tls, heads) = (authorization.clone(), tls.clone(), Arc::clone(&kept));
            async move {
                match tls {
                    Some(tls) => {
                        relay(authority::accept(&tls, stream).await?, target, authorization, &heads).await
                    }
                    None => relay(stream, target, authorization, &heads).await,
                }
            }
        });
        Ok(Self { server: server.await?, heads })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What it was asked for: each head as text.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn relay(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    target: SocketAddr,
    authorization: Option<String>,
    heads: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let head = script::read(&mut client).await?;
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    let allowed = match authorization {
        Some(value) => head.contains(&format!("\r\nProxy-Authorization: {value}\r\n")),
        None => true,
    };
    if !allowed {
        let refusal =
            b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 3\r\n\r\nwho";
        return client.write_all(refusal).await;
    }
    let mut server = TcpStream::connect(target).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
