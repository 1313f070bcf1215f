//! What the server saw and said, connection by connection.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Error;
use axum::extract::ws::{Message, WebSocket};
use axum::http::HeaderMap;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, BoxStream, SplitStream, StreamExt as _};
use futures_util::{Sink, SinkExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The account of all connections.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<Vec<Connection>>>);

struct Connection {
    offered: Option<String>,
    events: Vec<Value>,
}

type Incoming = Result<Message, Error>;

/// A socket, as the server uses it.
pub(crate) struct Parts {
    pub(crate) sink: Pin<Box<dyn Sink<Message, Error = Error> + Send>>,
    pub(crate) stream: BoxStream<'static, Incoming>,
    pub(crate) pump: BoxFuture<'static, ()>,
}

impl Watched {
    /// The list that `GET /seen` answers.
    pub(crate) fn all(&self) -> Value {
        let connections = self.connections();
        let shown = connections
            .iter()
            .map(|Connection { offered, events }| json!({ "offered": offered, "events": events }));
        shown.collect()
    }

    /// Writes down what goes over this socket, as long as the pump runs. It ends with the stream.
    pub(crate) fn connection(&self, headers: &HeaderMap, socket: WebSocket) -> Parts {
        let offered = headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
        let number = {
            let mut connections = self.connections();
            connections.push(Connection { offered: offered.map(str::to_owned), events: Vec::new() });
            connections.len() - 1
        };
        let (sink, incoming) = socket.split();
        let watched = self.clone();
        let sink = sink.with(move |message| {
            watched.note(number, "out", &message);
            ready(Ok(message))
        });
        let (passed, received) = mpsc::unbounded_channel();
        let pump = self.clone().pump(number, incoming, passed);
        let stream = stream::unfold(received, async |mut received| Some((received.recv().await?, received)));
        Parts { sink: Box::pin(sink), stream: stream.boxed(), pump: pump.boxed() }
    }

    /// Reads as soon as something is there: what is sent before its time must not look as if it were sent later.
    async fn pump(
        self,
        number: usize,
        mut incoming: SplitStream<WebSocket>,
        passed: mpsc::UnboundedSender<Incoming>,
    ) {
        loop {
            let message = tokio::select! {
                () = passed.closed() => break,
                message = incoming.next() => message,
            };
            let Some(message) = message else { break };
            if let Ok(message) = &message {
                self.note(number, "in", message);
            }
            if passed.send(message).is_err() {
                break;
            }
        }
    }

    fn note(&self, number: usize, way: &str, message: &Message) {
        let event = match message {
            Message::Text(text) => json!({ way: text.as_str() }),
            Message::Close(frame) => {
                let frame = frame.as_ref().map(|frame| (frame.code, frame.reason.as_str()));
                json!({ "closed": frame })
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => return,
        };
        if let Some(connection) = self.connections().get_mut(number) {
            connection.events.push(event);
        }
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
