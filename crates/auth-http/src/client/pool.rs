//! Connections that are kept from one exchange to the next, and the one that an exchange gets.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::dialer::{Fault, Settings};
use super::sending::Sending;

/// The connections of a client; clones share them.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    dialer: Settings,
    /// How long an unused connection is kept.
    idle: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    connections: Vec<Connection>,
    /// What closes unused connections while nobody asks for any.
    sweeper: Option<JoinHandle<()>>,
}

/// A connection, and the server that it leads to. One of HTTP/1.1 is in the pool or with its one user; one of HTTP/2 is in
/// the pool while others use it.
pub(super) struct Connection {
    server: Arc<Server>,
    sender: Sender,
    unused_since: Instant,
}

struct Server {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    /// What an HTTP/1.1 request says of whom it is for.
    host: HeaderValue,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Why there is no reply.
pub(super) enum Failure {
    /// There is no connection.
    Unconnected(Fault),
    /// The connection broke, or what came over it is not HTTP.
    Broken {
        error: hyper::Error,
        /// Whether none of the request was written.
        unsent: bool,
    },
}

impl Pool {
    pub(super) fn new(dialer: Settings, idle: Duration) -> Self {
        Self(Arc::new(Shared { dialer, idle, kept: Mutex::default() }))
    }

    /// Sends a request, and gives the head of the reply with the connection that its body comes over.
    pub(super) async fn send(
        &self,
        sending: &mut Sending,
        now: Instant,
    ) -> Result<(Response<Incoming>, Connection), Failure> {
        loop {
            let (mut connection, reused) = if let Some(kept) = self.take(&sending.target, now) {
                (kept, true)
            } else {
                // Apart, since it is much larger than the rest, and seldom needed.
                (Box::pin(self.connect(&sending.target)).await?, false)
            };
            match connection.send(sending).await {
                Ok(response) => return Ok((response, connection)),
                // The server has closed it, and maybe the others for the same reason.
                Err(_) if reused && !sending.begun => self.forget(&sending.target),
                Err(error) => return Err(Failure::Broken { error, unsent: !sending.begun }),
            }
        }
    }

    /// Keeps a connection whose reply was read to its end.
    pub(super) fn keep(&self, mut connection: Connection) {
        connection.unused_since = now();
        let mut kept = self.0.kept();
        match &connection.sender {
            Sender::Http1(sender) if sender.is_closed() => {}
            Sender::Http1(_) => self.add(&mut kept, connection),
            Sender::Http2(_) => {
                let same = |kept: &&mut Connection| Arc::ptr_eq(&kept.server, &connection.server);
                for shared in kept.connections.iter_mut().filter(same) {
                    shared.unused_since = connection.unused_since;
                }
            }
        }
    }

    /// Puts a connection in, and has somebody close it once it was unused for long.
    fn add(&self, kept: &mut Kept, connection: Connection) {
        kept.connections.push(connection);
        if kept.sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            kept.sweeper = Some(sweep(Arc::downgrade(&self.0), self.0.idle));
        }
    }

    /// Keeps no connection to this server any longer: what it may be, is not to be relied upon.
    pub(super) fn forget(&self, target: &Uri) {
        self.0.kept().connections.retain(|connection| !connection.leads_to(target));
    }

    /// A connection to the server of this URL that is kept and open as far as anybody knows.
    fn take(&self, target: &Uri, now: Instant) -> Option<Connection> {
        let mut kept = self.0.kept();
        kept.sweep(self.0.idle, now);
        let place = kept.connections.iter().rposition(|connection| connection.leads_to(target))?;
        match kept.connections.get(place)?.shared() {
            None => Some(kept.connections.swap_remove(place)),
            shared => shared,
        }
    }

    async fn connect(&self, target: &Uri) -> Result<Connection, Failure> {
        let (stream, http2) = self.0.dialer.dial(target).await.map_err(Failure::Unconnected)?;
        let stream = TokioIo::new(stream);
        let unsent = |error| Failure::Broken { error, unsent: true };
        let sender = if http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(LARGEST_HEAD as u32)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(4 * WINDOW)
                .handshake(stream)
                .await
                .map_err(unsent)?;
            beside(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::Builder::new()
                .max_buf_size(LARGEST_HEAD)
                // A request is small: to copy it into one buffer costs less than to hand the system two.
                .writev(false)
                .handshake(stream)
                .await
                .map_err(unsent)?;
            beside(connection);
            Sender::Http1(sender)
        };
        let connection = Connection { server: Arc::new(Server::of(target)), sender, unused_since: now() };
        // At once, for others to use it meanwhile; it stays, whatever becomes of this exchange.
        if let Some(shared) = connection.shared() {
            self.add(&mut self.0.kept(), shared);
        }
        Ok(connection)
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Drops what was unused for too long, or is closed.
    fn sweep(&mut self, idle: Duration, now: Instant) {
        self.connections.retain(|connection| {
            let closed = match &connection.sender {
                Sender::Http1(sender) => sender.is_closed(),
                Sender::Http2(sender) => sender.is_closed(),
            };
            !closed && now.saturating_duration_since(connection.unused_since) < idle
        });
    }
}

impl Drop for Kept {
    /// The connections end by themselves.
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
    }
}

impl Connection {
    fn leads_to(&self, target: &Uri) -> bool {
        self.server.authority.as_ref() == target.authority() && self.server.scheme.as_ref() == target.scheme()
    }

    /// The same connection for another exchange at the same time, where it can serve several.
    fn shared(&self) -> Option<Self> {
        let Self { server, sender, unused_since } = self;
        let Sender::Http2(sender) = sender else { return None };
        let sender = Sender::Http2(sender.clone());
        Some(Self { server: Arc::clone(server), sender, unused_since: *unused_since })
    }

    /// Sends a request, which has not begun if none of it was written.
    async fn send(&mut self, sending: &mut Sending) -> Result<Response<Incoming>, hyper::Error> {
        let Sending { request, target, begun } = sending;
        let reply = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                let path = target.path_and_query().cloned();
                *request.uri_mut() = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
                request.headers_mut().insert(HOST, self.server.host.clone());
                *begun = true;
                sender.try_send_request(mem::take(request)).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                *request.uri_mut() = target.clone();
                request.headers_mut().remove(HOST);
                *begun = true;
                sender.try_send_request(mem::take(request)).await
            }
        };
        reply.map_err(|mut failed| {
            if let Some(unsent) = failed.take_message() {
                *request = unsent;
                *begun = false;
            }
            failed.into_error()
        })
    }
}

impl Server {
    fn of(target: &Uri) -> Self {
        let host = target.host().unwrap_or_default();
        let default = if target.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let host = match target.port_u16().filter(|port| *port != default) {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Self {
            scheme: target.scheme().cloned(),
            authority: target.authority().cloned(),
            // A host is printable ASCII.
            host: HeaderValue::try_from(host).unwrap_or_else(|_| HeaderValue::from_static("")),
        }
    }
}

/// Drives a connection until it ends: for HTTP/1.1 with its only user, for HTTP/2 with the last.
#[expect(clippy::disallowed_methods, reason = "a connection outlives its exchanges; this client is a driver")]
fn beside(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    tokio::spawn(connection);
}

/// Closes unused connections, until there are none.
#[expect(clippy::disallowed_methods, reason = "it outlives the exchanges; this client is a driver")]
fn sweep(pool: Weak<Shared>, idle: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(idle).await;
            let Some(pool) = pool.upgrade() else { return };
            let mut kept = pool.kept();
            kept.sweep(idle, now());
            if kept.connections.is_empty() {
                kept.sweeper = None;
                return;
            }
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "how long a connection was unused is known to nobody else")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The largest head of a reply, in bytes; those of token endpoints have less than one tenth.
const LARGEST_HEAD: usize = 64 * 1024;

/// What a server may send on an HTTP/2 stream before we have read it, in bytes: the protocol's own default, where hyper's
/// is 2 MiB. A reply never fills it, so it costs no round trip.
const WINDOW: u32 = 65_535;
