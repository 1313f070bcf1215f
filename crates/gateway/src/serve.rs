//! Binding, accepting, and an orderly end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::endpoints::Endpoints;
use crate::http_service::{Accepted, Spoken, Upgrade, respond};
use crate::ledger::{Ledger, SUMMING_UP};
use crate::metrics::MetricsListener;
use crate::websocket::{self, Shared};
use crate::{Config, Refreshes, Sessions};

/// A gateway that has its port and accepts nobody yet.
#[must_use = "a gateway accepts nobody until it is served"]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    connections: Arc<Semaphore>,
    endpoints: Arc<Endpoints>,
    shared: Arc<Shared>,
    drain: watch::Sender<bool>,
    metrics: Option<MetricsListener>,
}

/// How long a connection may take over HTTP in all: its head and its body have limits of their own, this is for a peer that
/// does not read the reply.
const HTTP_PATIENCE: Duration = Duration::from_secs(30);

/// How long connections may take to end once the gateway drains.
const DRAIN: Duration = Duration::from_secs(5);

impl Gateway {
    /// Takes the port.
    ///
    /// # Errors
    ///
    /// An I/O error when it is in use or not ours to take, and one of kind [`InvalidInput`](io::ErrorKind::InvalidInput) when a WebSocket
    /// has [no path of its own](Config::with_websocket).
    pub async fn bind(config: Config) -> io::Result<Self> {
        let clock = Clock::start();
        let endpoints = Endpoints::new(&config, clock.now());
        endpoints.check().map_err(|wrong| io::Error::new(io::ErrorKind::InvalidInput, wrong))?;
        let listener = TcpListener::bind(config.listen).await?;
        let (drain, draining) = watch::channel(false);
        let shared = Shared {
            clock,
            application: Arc::clone(&config.application),
            sessions: Sessions::new(clock),
            patience: config.patience,
            draining,
            ledger: Arc::new(Ledger::new(
                config.recorder,
                config.fingerprint_key,
                config.patience,
                clock.now(),
            )),
        };
        let metrics = match config.metrics {
            Some(metrics) => Some(MetricsListener::bind(metrics).await?),
            None => None,
        };
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            connections: Arc::new(Semaphore::new(config.most_connections)),
            endpoints: Arc::new(endpoints),
            shared: Arc::new(shared),
            drain,
            metrics,
        })
    }

    /// Where tokens are issued: this URL followed by `/oauth/token`.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where WebSockets are accepted.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Where metrics are scraped, if they are [served](Config::with_metrics).
    #[must_use]
    pub fn metrics_url(&self) -> Option<String> {
        self.metrics.as_ref().map(MetricsListener::url)
    }

    /// The live connections.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        self.shared.sessions.clone()
    }

    /// What becomes of the refresh tokens.
    #[must_use]
    pub fn refreshes(&self) -> Refreshes {
        self.endpoints.tokens.refreshes()
    }

    /// Serves until `shutdown` is ready; then accepts nobody, says goodbye with close code 1001, and waits up to 5 s
    /// for the connections to end, and as long for what is left to be recorded.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) {
        let (mut tasks, mut books) = (JoinSet::new(), JoinSet::new());
        let (close, closing) = watch::channel(false);
        #[expect(clippy::disallowed_methods, reason = "it ends with this")]
        books.spawn(keep_books(Arc::clone(&self.shared), closing));
        if let Some(metrics) = self.metrics {
            #[expect(clippy::disallowed_methods, reason = "it ends with this")]
            tasks.spawn(metrics.serve(self.shared.draining.clone()));
        }
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                (stream, peer, permit) = accept(&self.listener, &self.connections) => {
                    let (endpoints, shared) = (Arc::clone(&self.endpoints), Arc::clone(&self.shared));
                    #[expect(clippy::disallowed_methods, reason = "each connection is a task, and ends with this")]
                    tasks.spawn(connection(stream, peer, endpoints, shared, permit));
                }
                Some(_) = tasks.join_next() => {}
            }
        }
        drop(self.listener);
        self.drain.send_replace(true);
        let drained = timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tasks.shutdown().await;
        }
        // What was held back is told at last, and all connections are told to be gone.
        // A recorder that hangs has its own count of what is in no record.
        close.send_replace(true);
        let left = async { tokio::join!(self.shared.ledger.finish(), books.join_next()) };
        let _ = timeout(DRAIN, left).await;
    }

    /// Serves on the current tokio runtime until [`Running::stop`], or until what is returned is dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[expect(clippy::disallowed_methods, reason = "the caller asked for it by name")]
    pub fn spawn(self) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let (http_url, ws_url, metrics_url) = (self.http_url(), self.ws_url(), self.metrics_url());
        let (sessions, refreshes) = (self.sessions(), self.refreshes());
        let serving = tokio::spawn(self.serve(async {
            // A dropped sender is a dropped `Running`: stop as well.
            let _ = stopped.await;
        }));
        Running { http_url, ws_url, metrics_url, sessions, refreshes, stop, serving }
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A gateway that serves in the background. It stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    http_url: String,
    ws_url: String,
    metrics_url: Option<String>,
    sessions: Sessions,
    refreshes: Refreshes,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Running {
    /// Where tokens are issued: this URL followed by `/oauth/token`.
    #[must_use]
    pub fn http_url(&self) -> &str {
        &self.http_url
    }

    /// Where WebSockets are accepted.
    #[must_use]
    pub fn ws_url(&self) -> &str {
        &self.ws_url
    }

    /// Where metrics are scraped, if they are [served](Config::with_metrics).
    #[must_use]
    pub fn metrics_url(&self) -> Option<&str> {
        self.metrics_url.as_deref()
    }

    /// The live connections.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What became of the refresh tokens.
    #[must_use]
    pub const fn refreshes(&self) -> &Refreshes {
        &self.refreshes
    }

    /// Stops, and waits until nothing is left.
    pub async fn stop(self) {
        drop(self.stop);
        // A panic of the serving task has been reported already.
        let _ = self.serving.await;
    }
}

/// Tells now and then what was held back, and records what is owed, until nobody adds to either any more.
async fn keep_books(shared: Arc<Shared>, closing: watch::Receiver<bool>) {
    let mut closed = closing.clone();
    let summing_up = async {
        while timeout(SUMMING_UP, drained(&mut closed)).await.is_err() {
            shared.ledger.sum_up(shared.clock.now()).await;
        }
        shared.ledger.sum_up(shared.clock.now()).await;
    };
    tokio::join!(summing_up, shared.ledger.pay(closing));
}

/// Waits for room, then for a connection.
pub(crate) async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            // The peer has gone again, or there are no descriptors left: try again when there may be.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Waits until the gateway drains.
pub(crate) async fn drained(draining: &mut watch::Receiver<bool>) {
    // A dropped sender is a gateway that is gone, which comes to the same.
    let _ = draining.wait_for(|draining| *draining).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    endpoints: Arc<Endpoints>,
    shared: Arc<Shared>,
    _room: Option<OwnedSemaphorePermit>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let upgrade = Upgrade::default();
    let service = service_fn(|request| {
        respond(request, Arc::clone(&endpoints), Arc::clone(&shared), peer, Arc::clone(&upgrade))
    });
    let mut http = std::pin::pin!(
        http1::Builder::new()
            // Without a timer the header timeout is inert.
            .timer(TokioTimer::new())
            .header_read_timeout(shared.patience)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let mut draining = shared.draining.clone();
    let served = timeout(HTTP_PATIENCE, async {
        tokio::select! {
            served = http.as_mut() => served,
            () = drained(&mut draining) => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        }
    });
    // An error here is the peer's, and the answer to it has been sent.
    if let Ok(Ok(())) = served.await {
        let accepted = upgrade.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Accepted { upgrade, spoken }) = accepted
            && let Ok(upgraded) = upgrade.await
        {
            let stream = TokioIo::new(upgraded);
            match (spoken, &endpoints.ably) {
                (Spoken::Dialect(opened), _) => websocket::serve(stream, shared, *opened).await,
                (Spoken::Ably(opening), Some(ably)) => ably.serve(stream, shared, peer, opening).await,
                // It was Ably's endpoint that accepted it.
                (Spoken::Ably(_), None) => {}
            }
        }
    }
}
