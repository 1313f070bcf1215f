//! Delivery to Splunk's HTTP Event Collector, with its acknowledgment where that is on.
//!
//! The sink makes requests and reads replies; a function of the program's exchanges them, so that this crate needs no HTTP client.
//! With the client of `auth-http` that is:
//!
//! ```text
//! let client = Arc::new(HyperClient::with_platform_roots()?);
//! let exchange = move |request: http::Request<String>| {
//!     let client = Arc::clone(&client);
//!     async move {
//!         let reply = client.exchange(request.map(Bytes::from)).await?;
//!         Ok(reply.map(|body| body.to_vec()))
//!     }
//! };
//! ```

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::loopback::may_be_plaintext;
use auth_core::{Secret, retry_after};
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use serde::Deserialize;

use super::sink::{Sink, SinkError, Verdict};
use crate::Entry;

/// Why an exchange failed. It is not shown: it may know the request.
pub type ExchangeError = Box<dyn std::error::Error + Send + Sync>;

/// A collector.
///
/// | Reply | What becomes of the entries |
/// | --- | --- |
/// | 200 with `"code":0` | delivered; with [`acknowledged`](Self::acknowledged), once the indexer has them |
/// | 408, 429, 5xx, none, or a 200 that is not the collector's own: a portal's page | sent again, after what `Retry-After` asks for where that is longer |
/// | 400, 413 | halved, until the entry that the collector does not take is alone: a dead letter |
/// | 401, 403 and any other | dead letters: the token or the address is wrong |
///
/// ```
/// use audit::deliver::Outlet;
/// use audit::deliver::hec::{ExchangeError, Hec};
/// use audit::format::{Format, Origin, Renderer};
/// use auth_core::Secret;
///
/// # async fn exchange(request: http::Request<String>) -> Result<http::Response<Vec<u8>>, ExchangeError> {
/// #     Ok(http::Response::new(Vec::new()))
/// # }
/// let renderer = Renderer::new(Format::Hec, Origin::new("gw-1", "gateway"));
/// let event = move |entry: &audit::Entry| renderer.render(entry);
/// let token = Secret::from("0a1b2c3d-0000-0000-0000-000000000000");
/// let hec = Hec::new("https://splunk.example:8088", &token, event, exchange)?;
/// let outlet = Outlet::sink("splunk", hec);
/// # drop(outlet);
/// # Ok::<(), audit::deliver::hec::InvalidCollector>(())
/// ```
pub struct Hec<E> {
    collector: String,
    authorization: HeaderValue,
    render: Box<dyn Fn(&Entry) -> String + Send + Sync>,
    exchange: E,
    channel: Option<Channel>,
}

/// How acknowledgments are asked for.
struct Channel {
    id: HeaderValue,
    within: Duration,
}

/// Why there is no such collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCollector {
    /// The address is no URL of a server.
    #[error("the collector's address is https:// and a host, as in https://splunk.example:8088")]
    Address,
    /// The address is http:// and not of this machine.
    #[error("the token would go over the network in the clear; use https://")]
    Plaintext,
    /// The token is empty, or can't be in a header.
    #[error("the collector's token is a line of printable characters")]
    Token,
    /// The channel is no GUID.
    #[error("a channel is a GUID, as 8-4-4-4-12 hexadecimal digits")]
    Channel,
}

/// How often the indexer is asked.
const ASK: Duration = Duration::from_millis(500);

/// The longest reply that is read: it is a few numbers.
const LONGEST_REPLY: usize = 64 * 1024;

impl<E, F> Hec<E>
where
    E: Fn(Request<String>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Vec<u8>>, ExchangeError>> + Send + 'static,
{
    /// The collector at an address (scheme, host and port), of which `token` is the HEC token. Entries become what `render` makes of
    /// them: a JSON object each. `exchange` sends a request and reads the reply; it must bound what it reads and follow no redirect.
    ///
    /// # Errors
    ///
    /// [`InvalidCollector`].
    pub fn new(
        collector: &str,
        token: &Secret,
        render: impl Fn(&Entry) -> String + Send + Sync + 'static,
        exchange: E,
    ) -> Result<Self, InvalidCollector> {
        let uri: Uri = collector.parse().map_err(|_| InvalidCollector::Address)?;
        let host = uri.host().filter(|_| uri.path() == "/" && uri.query().is_none());
        match (uri.scheme_str(), host) {
            (Some("https"), Some(_)) => {}
            (Some("http"), Some(host)) if may_be_plaintext(host) => {}
            (Some("http"), Some(_)) => return Err(InvalidCollector::Plaintext),
            _ => return Err(InvalidCollector::Address),
        }
        if token.expose().trim().is_empty() {
            return Err(InvalidCollector::Token);
        }
        let authorization = HeaderValue::try_from(format!("Splunk {}", token.expose()));
        let mut authorization = authorization.map_err(|_| InvalidCollector::Token)?;
        authorization.set_sensitive(true);
        let collector = collector.trim_end_matches('/').to_owned();
        Ok(Self { collector, authorization, render: Box::new(render), exchange, channel: None })
    }

    /// Counts entries as delivered only when the indexer has them on its disk: for a token of which indexer acknowledgment is on.
    ///
    /// `channel` is a GUID of this program's own. What is not acknowledged `within` this time (Splunk suggests minutes) is sent
    /// again, and may then be there twice. What the collector took without saying how to ask for it counts as delivered, with a
    /// warning. One batch is under way at a time.
    ///
    /// # Errors
    ///
    /// [`InvalidCollector::Channel`].
    pub fn acknowledged(mut self, channel: &str, within: Duration) -> Result<Self, InvalidCollector> {
        let groups: Vec<_> = channel.split('-').map(str::len).collect();
        let hexadecimal = channel.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        if groups != [8, 4, 4, 4, 12] || !hexadecimal {
            return Err(InvalidCollector::Channel);
        }
        let id = HeaderValue::from_str(channel).map_err(|_| InvalidCollector::Channel)?;
        self.channel = Some(Channel { id, within });
        Ok(self)
    }

    /// Sends this, and gives the body of a reply that says yes.
    async fn post(&self, path: &str, body: String) -> Result<Vec<u8>, SinkError> {
        let mut request = Request::post(format!("{}{path}", self.collector));
        if let Some(channel) = &self.channel {
            request = request.header("x-splunk-request-channel", &channel.id);
        }
        let request = request
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|_| SinkError::denied())?;
        let reply = (self.exchange)(request).await.map_err(|_| SinkError::retry())?;
        let text = |name| reply.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        match reply.status() {
            StatusCode::OK => Ok(reply.into_body()),
            status
                if status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status) =>
            {
                let advice = text(RETRY_AFTER).and_then(|advice| retry_after::parse(advice, text(DATE)));
                Err(advice.map_or_else(SinkError::retry, SinkError::retry_after))
            }
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Err(SinkError::refused()),
            status => {
                tracing::warn!(
                    status = status.as_u16(),
                    "the collector does not know us; check its token and address"
                );
                Err(SinkError::denied())
            }
        }
    }

    /// Asks until the indexer has it. What ends this otherwise is the deadline of the call, and then the entries come again.
    async fn indexed(&self, reply: &[u8]) -> Result<(), SinkError> {
        let Some(Accepted { id }) = read(reply) else { return unconfirmed() };
        let question = format!(r#"{{"acks":[{id}]}}"#);
        let mut pause = ASK;
        loop {
            tokio::time::sleep(pause).await;
            let answer = match self.post("/services/collector/ack", question.clone()).await {
                Ok(answer) => read::<Acknowledged>(&answer),
                // The entries are there; only the question was not taken, and is asked again.
                Err(SinkError { verdict: Verdict::Retry(asked), .. }) => {
                    pause = asked.unwrap_or_default().max(ASK);
                    continue;
                }
                Err(_) => None,
            };
            let Some(Acknowledged { acks }) = answer else { return unconfirmed() };
            if acks.get(&id.to_string()) == Some(&true) {
                return Ok(());
            }
            pause = ASK;
        }
    }
}

/// The collector took the entries, and can't say whether they are indexed. Whoever sends them again doubles them.
fn unconfirmed() -> Result<(), SinkError> {
    tracing::warn!("the collector acknowledges nothing; switch indexer acknowledgment on for its token");
    Ok(())
}

/// What the collector says of events, whether or not it acknowledges them.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: u64,
}

#[derive(Deserialize)]
struct Accepted {
    #[serde(rename = "ackId")]
    id: u64,
}

#[derive(Deserialize)]
struct Acknowledged {
    acks: std::collections::BTreeMap<String, bool>,
}

fn read<'a, T: Deserialize<'a>>(reply: &'a [u8]) -> Option<T> {
    serde_json::from_slice(reply.get(..reply.len().min(LONGEST_REPLY))?).ok()
}

#[async_trait]
impl<E, F> Sink for Hec<E>
where
    E: Fn(Request<String>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Vec<u8>>, ExchangeError>> + Send + 'static,
{
    async fn deliver(&self, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        let body: String = batch.iter().map(|entry| (self.render)(entry)).collect();
        let reply = self.post("/services/collector/event", body).await?;
        if !matches!(read(&reply), Some(Said { code: 0 })) {
            tracing::warn!("something answers for the collector that is not it; check its address");
            return Err(SinkError::retry());
        }
        if self.channel.is_some() { self.indexed(&reply).await } else { Ok(()) }
    }

    fn deadline(&self, outlet: Duration) -> Option<Duration> {
        Some(self.channel.as_ref().map_or(outlet, |channel| outlet.saturating_add(channel.within)))
    }
}

impl<E> fmt::Debug for Hec<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { collector, authorization: _, render: _, exchange: _, channel } = self;
        formatter
            .debug_struct("Hec")
            .field("collector", collector)
            .field("acknowledged", &channel.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
