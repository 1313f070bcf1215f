//! What both ends of a bare connection need: a runtime, a message in, a message out, and what this process has used up.

use std::fs;
use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{self, Runtime};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

#[expect(clippy::expect_used, reason = "a bench without its runtime measures nothing")]
pub(super) fn runtime() -> Runtime {
    runtime::Builder::new_current_thread().enable_all().build().expect("the system has threads and sockets")
}

/// The next message; `None` at the end.
pub(super) async fn next<S>(socket: &mut WebSocketStream<S>) -> Option<Result<Message, Error>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| Pin::new(&mut *socket).poll_next(cx)).await
}

pub(super) async fn send<S>(socket: &mut WebSocketStream<S>, message: Message) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| Pin::new(&mut *socket).poll_ready(cx)).await?;
    Pin::new(&mut *socket).start_send(message)?;
    poll_fn(|cx| Pin::new(&mut *socket).poll_flush(cx)).await
}

/// The nanoseconds that this process, which has one thread, has been on a processor.
#[expect(clippy::expect_used, reason = "without it, there is nothing to be measured here")]
pub(super) fn processor_time() -> f64 {
    // The kernel brings the count up to date when it looks for another thread to run.
    std::thread::yield_now();
    let counts = fs::read_to_string("/proc/self/schedstat").expect("Linux keeps these counts");
    let first = counts.split(' ').next().and_then(|count| count.parse().ok());
    first.expect("the first is a number")
}

/// The bytes of this process that are in memory.
#[expect(clippy::expect_used, reason = "without it, there is nothing to be measured here")]
pub(super) fn resident() -> f64 {
    const PAGE: f64 = 4_096.0;
    let counts = fs::read_to_string("/proc/self/statm").expect("Linux keeps these counts");
    let second: Option<f64> = counts.split(' ').nth(1).and_then(|count| count.parse().ok());
    second.expect("the second is a number") * PAGE
}
