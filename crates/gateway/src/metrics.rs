//! `/metrics` on an address of its own: a text for whoever scrapes it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Metrics;
use crate::serve::{accept, drained};

/// How long one scrape may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many scrapes there may be at once.
const MOST: usize = 16;

/// The format of Prometheus' text (exposition format 0.0.4).
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// An address that is taken, and what is served there.
pub(crate) struct MetricsListener {
    listener: TcpListener,
    address: SocketAddr,
    text: Text,
}

type Text = Arc<dyn Fn() -> String + Send + Sync>;

impl MetricsListener {
    /// Takes the address.
    ///
    /// # Errors
    ///
    /// An I/O error when it is in use or not ours to take.
    pub(crate) async fn bind(metrics: Metrics) -> io::Result<Self> {
        let listener = TcpListener::bind(metrics.listen).await.map_err(|error| {
            // Else it would be taken for the gateway's own address.
            let text =
                format!("{}, where metrics would be served, can't be listened on: {error}", metrics.listen);
            io::Error::new(error.kind(), text)
        })?;
        Ok(Self { address: listener.local_addr()?, listener, text: metrics.text })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Serves until the gateway drains.
    pub(crate) async fn serve(self, mut draining: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(MOST));
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = drained(&mut draining) => return,
                (stream, _, permit) = accept(&self.listener, &room) => {
                    let text = Arc::clone(&self.text);
                    #[expect(clippy::disallowed_methods, reason = "each scrape is a task, and ends with this")]
                    tasks.spawn(async move {
                        // Who scrapes sees for itself that it failed.
                        let _ = timeout(PATIENCE, scrape(stream, text)).await;
                        drop(permit);
                    });
                }
                Some(_) = tasks.join_next() => {}
            }
        }
    }
}

async fn scrape(stream: TcpStream, text: Text) -> Result<(), hyper::Error> {
    let service = service_fn(|request: Request<Incoming>| {
        let reply = answer(request.method(), request.uri().path(), &text);
        async { Ok::<_, Infallible>(reply) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(method: &Method, path: &str, text: &Text) -> Response<Full<Bytes>> {
    let (status, body) = match (method, path) {
        (&Method::GET, "/metrics") => (StatusCode::OK, text()),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, PROMETHEUS);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
