//! Delivery to a syslog receiver: RFC 5424 messages over TCP (RFC 6587 §3.4.1), TLS (RFC 5425) and unix sockets.
//!
//! Messages on a stream are framed by their length, so that nothing in a message can begin another. Which text a message has is
//! up to the function that the sink is given.
//!
//! # What "delivered" means here
//!
//! Syslog has no acknowledgement: an entry is delivered once the kernel has taken its last byte. From there:
//!
//! - **A receiver that does not read** is waited for, however long, **on the same connection**, with the partly written
//!   message kept: nothing is doubled, and what the outlet's queue can't hold in the meantime is told as `events_dropped`.
//! - **A connection that breaks** takes along what both kernels held for it. These entries are **not sent again**, which could
//!   double them; the first message on the next connection is an `events_in_doubt` record
//!   ([`TrailEvent::EventsInDoubt`]) that names their range. A message that was
//!   written in part is sent again as a whole: its first part ended with its connection, and a receiver that counts octets discards it.
//!
//! A receiver that has to have everything must acknowledge it, as [`Hec`](super::hec::Hec) can, or a [`Sink`] of your own.

mod connection;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::Mutex;

use self::connection::{Connection, Fault, Receiver};
use self::window::Window;
use super::machine::Gap;
use super::sink::{Sink, SinkError};
use crate::{Entry, Event, TrailEvent};

type Render = Box<dyn Fn(&Entry) -> String + Send + Sync>;

/// A syslog receiver.
///
/// ```
/// use audit::deliver::Outlet;
/// use audit::deliver::syslog::Syslog;
/// use audit::format::{Format, Origin, Renderer};
///
/// let renderer = Renderer::new(Format::Syslog, Origin::new("gw-1", "gateway"));
/// let message = move |entry: &audit::Entry| renderer.render(entry);
/// let outlet = Outlet::sink("syslog", Syslog::tcp("127.0.0.1:601", message));
/// # drop(outlet);
/// ```
pub struct Syslog {
    receiver: Receiver,
    render: Render,
    state: Mutex<State>,
    /// How many of the first entries of the present call the kernel has.
    taken: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Out of here during a call, so that one that is cut off ends the connection: half a message may be on it.
    connection: Option<Connection>,
    /// What the receiver may not have read yet.
    window: Window,
    /// What went down with connections, until it is told.
    doubt: Option<Gap>,
    buffer: Vec<u8>,
    ends: Vec<usize>,
}

/// About how many bytes are written at once.
const CHUNK: usize = 64 * 1024;

impl Syslog {
    /// Over TCP, to `host:port`. Anybody on the way can read it and change it: within one machine or behind a tunnel only.
    #[must_use]
    pub fn tcp(address: &str, render: impl Fn(&Entry) -> String + Send + Sync + 'static) -> Self {
        Self::to(Receiver::Tcp(address.to_owned()), render)
    }

    /// Over TLS, to `host:port`, of which the certificate has this name. The port for it is 6514.
    #[must_use]
    pub fn tls(
        address: &str,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
        render: impl Fn(&Entry) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::to(Receiver::Tls(address.to_owned(), name, config), render)
    }

    /// To a unix stream socket, framed as over TCP.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>, render: impl Fn(&Entry) -> String + Send + Sync + 'static) -> Self {
        Self::to(Receiver::Unix(path.into()), render)
    }

    /// To a unix datagram socket such as `/dev/log`, a datagram a message. One that is too long for the socket is a dead letter.
    #[cfg(unix)]
    #[must_use]
    pub fn unix_datagram(
        path: impl Into<PathBuf>,
        render: impl Fn(&Entry) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::to(Receiver::Datagram(path.into()), render)
    }

    fn to(receiver: Receiver, render: impl Fn(&Entry) -> String + Send + Sync + 'static) -> Self {
        Self { receiver, render: Box::new(render), state: Mutex::default(), taken: AtomicUsize::new(0) }
    }

    async fn write(&self, state: &mut State, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        let mut connection = match state.connection.take() {
            Some(mut connection) => {
                if connection.has_ended().await {
                    return Err(SinkError::retry());
                }
                connection
            }
            None => self.connect(state, batch).await?,
        };
        let mut first = 0;
        while first < batch.len() {
            let State { window, buffer, ends, .. } = &mut *state;
            buffer.clear();
            ends.clear();
            for entry in &batch[first..] {
                connection.frame(buffer, &(self.render)(entry));
                ends.push(buffer.len());
                if buffer.len() >= CHUNK {
                    break;
                }
            }
            let mut whole = 0;
            let reach = self.receiver.window();
            let written = connection.write(buffer, ends, |bytes, count| {
                let (from, to) = (first + whole, first + whole + count);
                for entry in &batch[from..to] {
                    window.wrote(told(entry), bytes / count, reach);
                }
                whole += count;
                self.taken.store(to, Ordering::Relaxed);
            });
            if let Err(fault) = written.await {
                let verdict = fault.verdict(first + whole);
                if !matches!(fault, Fault::Broken) {
                    state.connection = Some(connection);
                }
                return Err(verdict);
            }
            first += whole;
        }
        // What TLS still holds is in doubt, as what the kernel holds is.
        if connection.flush().await.is_ok() {
            state.connection = Some(connection);
        }
        Ok(())
    }

    /// A new connection, on which the receiver has been told what went down with the last.
    async fn connect(&self, state: &mut State, batch: &[Arc<Entry>]) -> Result<Connection, SinkError> {
        state.doubt = Gap::joined(state.doubt, state.window.take());
        let mut connection = self.receiver.connect().await.map_err(|error| {
            tracing::debug!(receiver = %self.receiver, %error, "the syslog receiver can't be reached");
            SinkError::retry()
        })?;
        if let (Some(gap), Some(next)) = (state.doubt, batch.first()) {
            let Gap { from: from_seq, to: to_seq, count } = gap;
            tracing::warn!(receiver = %self.receiver, from_seq, to_seq, count, "a connection took entries along");
            let event = Event::Trail(TrailEvent::EventsInDoubt { from_seq, to_seq, count });
            let record = Entry::new(to_seq, next.at, None, event);
            state.buffer.clear();
            connection.frame(&mut state.buffer, &(self.render)(&record));
            let end = [state.buffer.len()];
            connection.write(&state.buffer, &end, |_, _| {}).await.map_err(|_| SinkError::retry())?;
            state.window.wrote(gap, end[0], self.receiver.window());
            state.doubt = None;
        }
        Ok(connection)
    }
}

/// What a receiver does not know of if it does not get this: of a record of a hole, the hole.
fn told(entry: &Entry) -> Gap {
    match entry.event {
        Event::Trail(TrailEvent::EventsDropped { from_seq: from, to_seq: to, count }) => {
            Gap { from, to, count }
        }
        _ => Gap::of(entry),
    }
}

#[async_trait]
impl Sink for Syslog {
    async fn deliver(&self, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        self.taken.store(0, Ordering::Relaxed);
        let mut state = self.state.lock().await;
        self.write(&mut state, batch).await
    }

    /// None: a message that is written in part can only be finished on its connection.
    fn deadline(&self, _: Duration) -> Option<Duration> {
        None
    }

    fn interrupted_after(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    async fn close(&self) {
        if let Some(mut connection) = self.state.lock().await.connection.take() {
            connection.shutdown().await;
        }
    }
}

impl fmt::Debug for Syslog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Syslog").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}
