//! [Polled](super::polled) sessions on any runtime: it brings connections and a timer, the rest is the platform's.

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use auth_core::time::Now;

use super::clock::Clock;
pub use super::polled::{Builder, ByteStream, Limit, Overflow, Runtime, Session, Task};
pub use super::{ConnectBudget, Events, Message, SendError, Server, SessionEvent, Target, Unsent};

/// A runtime made of two functions: one that connects, and one that waits.
///
/// On smol, for a server on this machine; elsewhere the first function encrypts too:
///
/// ```
/// use ws_session::driver::futures::{Functions, Runtime, Server};
///
/// let connect = |server: Server| async move {
///     let stream = smol::net::TcpStream::connect((server.host(), server.port())).await?;
///     stream.set_nodelay(true)?;
///     Ok(stream)
/// };
/// let runtime = Functions::new(connect, |duration| async move {
///     smol::Timer::after(duration).await;
/// });
/// # fn is_one(_: impl Runtime) {}
/// # is_one(runtime);
/// ```
pub struct Functions<C, S> {
    connect: C,
    sleep: S,
    clock: Clock,
}

impl<C, S> Functions<C, S> {
    /// A runtime whose connections are made by `connect`, see [`Runtime::connect`], and whose timer is `sleep`.
    pub fn new<Connecting, Stream, Sleep>(connect: C, sleep: S) -> Self
    where
        C: Fn(Server) -> Connecting + Send + Sync,
        Connecting: Future<Output = io::Result<Stream>> + Send + 'static,
        Stream: ByteStream + 'static,
        S: Fn(Duration) -> Sleep + Send + Sync,
        Sleep: Future<Output = ()> + Send + 'static,
    {
        Self { connect, sleep, clock: Clock::start() }
    }
}

impl<C, Connecting, Stream, S, Sleep> Runtime for Functions<C, S>
where
    C: Fn(Server) -> Connecting + Send + Sync,
    Connecting: Future<Output = io::Result<Stream>> + Send + 'static,
    Stream: ByteStream + 'static,
    S: Fn(Duration) -> Sleep + Send + Sync,
    Sleep: Future<Output = ()> + Send + 'static,
{
    fn connect(&self, server: Server) -> Task<io::Result<Box<dyn ByteStream>>> {
        let connecting = (self.connect)(server);
        Box::pin(async move { Ok(Box::new(connecting.await?) as Box<dyn ByteStream>) })
    }

    fn sleep(&self, duration: Duration) -> Task<()> {
        Box::pin((self.sleep)(duration))
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn random(&self) -> [u8; 16] {
        rand::random()
    }
}

impl<C, S> fmt::Debug for Functions<C, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Functions").finish_non_exhaustive()
    }
}
