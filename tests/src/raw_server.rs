//! A TCP server that does whatever its test says with each connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server on a free loopback port; it ends with this.
#[derive(Debug)]
pub struct RawServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl RawServer {
    /// Hands each connection to `handle`, with its number: 1 is the first. A connection ends with its future.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    #[expect(clippy::disallowed_methods, reason = "a test server runs beside its test")]
    pub async fn serve<F>(handle: impl Fn(TcpStream, usize) -> F + Send + 'static) -> io::Result<Self>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A packet that the kernel holds back is late on a clock that a test moves.
                let _ = stream.set_nodelay(true);
                let connection = handle(stream, counted.fetch_add(1, Ordering::Relaxed) + 1);
                // A client that has gone is what many tests are about.
                tokio::spawn(async { drop(connection.await) });
            }
        });
        Ok(Self { address, connections, serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
