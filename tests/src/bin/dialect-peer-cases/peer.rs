//! The server's own account of what it saw, and a way to have it drop us: `tests/peers/watched_sockets.mjs` says how.

use std::fmt;
use std::time::Duration;

use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange as _;
use bytes::Bytes;
use http::{Method, Request};
use realtime_auth_tests::verdict::Wrong;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// A server with its account.
pub(crate) struct Peer {
    control: String,
}

/// A connection, as the server saw it.
#[derive(Debug, Deserialize)]
pub(crate) struct Connection {
    /// What stood in `Sec-WebSocket-Protocol`.
    pub(crate) offered: Option<String>,
    events: Vec<Event>,
}

/// What happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// We said this.
    In(String),
    /// The server said this.
    Out(String),
    /// We answered a ping frame.
    Pong(bool),
    /// It is over: a code and a reason, or what else the server has to say of it.
    Closed(Value),
}

/// Beyond this a case waits in vain.
const PATIENCE: Duration = Duration::from_secs(10);

impl Peer {
    pub(crate) fn new(told: &Value) -> Self {
        Self { control: format!("http://{}", told["control"].as_str().unwrap_or_default()) }
    }

    /// Everything from now on.
    pub(crate) async fn account(&self) -> Result<Account<'_>, Wrong> {
        Ok(Account { peer: self, before: self.seen().await?.len() })
    }

    /// Has the server end its connections; the query says how.
    pub(crate) async fn drop_all(&self, query: &str) -> Result<(), Wrong> {
        self.ask(Method::POST, &format!("drop?{query}")).await?;
        Ok(())
    }

    async fn seen(&self) -> Result<Vec<Connection>, Wrong> {
        Ok(serde_json::from_slice(&self.ask(Method::GET, "seen").await?)?)
    }

    async fn ask(&self, method: Method, what: &str) -> Result<Bytes, Wrong> {
        let request = Request::builder().method(method).uri(format!("{}/{what}", self.control));
        let response = HyperClient::plaintext().exchange(request.body(Bytes::new())?).await?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(Wrong::new(format!("an answer to /{what}"), response.status().to_string()))
    }
}

/// What the server has seen since a moment.
pub(crate) struct Account<'a> {
    peer: &'a Peer,
    before: usize,
}

impl Account<'_> {
    /// The connections so far.
    pub(crate) async fn connections(&self) -> Result<Vec<Connection>, Wrong> {
        Ok(self.peer.seen().await?.split_off(self.before))
    }

    /// The connections, once there are some and all have ended.
    pub(crate) async fn ended(&self) -> Result<Vec<Connection>, Wrong> {
        let ended = |connection: &Connection| connection.end().is_some();
        self.until("an end of each connection", |seen| !seen.is_empty() && seen.iter().all(ended)).await
    }

    /// The connections, once they are as `expected`. The server is another process, which can only be asked again and again.
    pub(crate) async fn until(
        &self,
        expected: &str,
        is_so: impl Fn(&[Connection]) -> bool,
    ) -> Result<Vec<Connection>, Wrong> {
        let mut connections = Vec::new();
        let waited = timeout(PATIENCE, async {
            loop {
                connections = self.connections().await?;
                if is_so(&connections) {
                    return Ok(());
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        match waited.await {
            Ok(asked) => asked.map(|()| connections),
            Err(_) => Err(Wrong::new(expected, format!("the server saw {}", Shown(&connections)))),
        }
    }
}

impl Connection {
    /// What we said, in order.
    pub(crate) fn heard(&self) -> Vec<&str> {
        self.events.iter().filter_map(Event::heard).collect()
    }

    /// What we said before the server first said something that contains this; `None` if it never did.
    pub(crate) fn heard_before(&self, said: &str) -> Option<Vec<&str>> {
        let end =
            self.events.iter().position(|event| event.said().is_some_and(|text| text.contains(said)))?;
        Some(self.events[..end].iter().filter_map(Event::heard).collect())
    }

    /// How many pings we answered.
    pub(crate) fn pongs(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Pong(_))).count()
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<&Value> {
        self.events.iter().find_map(|event| if let Event::Closed(end) = event { Some(end) } else { None })
    }

    /// The code with which it ended.
    pub(crate) fn code(&self) -> Option<u64> {
        self.end()?[0].as_u64()
    }
}

impl Event {
    fn heard(&self) -> Option<&str> {
        if let Self::In(text) = self { Some(text) } else { None }
    }

    fn said(&self) -> Option<&str> {
        if let Self::Out(text) = self { Some(text) } else { None }
    }
}

/// An account for people. The credentials in it are of this run alone, and nobody else's.
struct Shown<'a>(&'a [Connection]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("no connection");
        }
        self.0.iter().try_for_each(|connection| write!(formatter, "{:?}; ", connection.events))
    }
}
