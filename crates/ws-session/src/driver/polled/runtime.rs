//! What a session needs of a runtime: connections, a timer, a clock, randomness.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use auth_core::time::Now;
use futures_io::{AsyncRead, AsyncWrite};

use crate::driver::Server;

/// A future on the heap.
pub type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A stream of bytes to a server.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// What a session needs of a runtime.
///
/// Whatever it hands out is polled by whoever polls the session, and dropped when it is no longer wanted.
pub trait Runtime: Send + Sync {
    /// Connects to a server, [encrypted](Server::is_encrypted) if it must be, and verified then. No bytes wait for others in
    /// it (`TCP_NODELAY`). The session bounds the time.
    ///
    /// An error of rustls inside of the [`io::Error`] that says that the certificate is not to be trusted ends the session.
    fn connect(&self, server: Server) -> Task<io::Result<Box<dyn ByteStream>>>;

    /// Is ready after `duration`; the session asks for 30 s at most.
    fn sleep(&self, duration: Duration) -> Task<()>;

    /// Reads both clocks.
    fn now(&self) -> Now;

    /// Bytes from a secure random source.
    fn random(&self) -> [u8; 16];
}
