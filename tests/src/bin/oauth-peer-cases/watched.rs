//! The exchange over real sockets, watched: what was asked and answered, and answers that are lost.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::{Error, ErrorKind};
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

/// A client that remembers.
pub(crate) struct Watched {
    http: HyperClient,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request<Bytes>>,
    responses: Vec<Response<Bytes>>,
    to_lose: usize,
}

impl Watched {
    pub(crate) fn new() -> Arc<Self> {
        Self::over(HyperClient::plaintext())
    }

    pub(crate) fn over(http: HyperClient) -> Arc<Self> {
        Arc::new(Self { http, seen: Mutex::default() })
    }

    /// From now on, the next so many answers are lost on their way.
    pub(crate) fn lose(&self, answers: usize) {
        self.seen().to_lose = answers;
    }

    /// How many requests were sent.
    pub(crate) fn count(&self) -> usize {
        self.seen().requests.len()
    }

    /// The status of each answer, lost ones too.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.seen().responses.iter().map(|response| response.status().as_u16()).collect()
    }

    /// The values of a parameter in the forms that were sent. They may be secrets.
    pub(crate) fn sent(&self, parameter: &str) -> Vec<String> {
        let value = |request: &Request<Bytes>| {
            let mut pairs = form_urlencoded::parse(request.body());
            pairs.find(|(name, _)| name == parameter).map(|(_, value)| value.into_owned())
        };
        self.seen().requests.iter().filter_map(value).collect()
    }

    /// The last request.
    pub(crate) fn request(&self) -> Option<Request<Bytes>> {
        self.seen().requests.last().cloned()
    }

    /// The last answer.
    pub(crate) fn response(&self) -> Option<Response<Bytes>> {
        self.seen().responses.last().cloned()
    }

    /// The last answer, as JSON. It may hold secrets.
    pub(crate) fn json(&self) -> Value {
        let response = self.response();
        response.and_then(|response| serde_json::from_slice(response.body()).ok()).unwrap_or_default()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpExchange for Watched {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.seen().requests.push(request.clone());
        let response = self.http.exchange(request).await?;
        let mut seen = self.seen();
        seen.responses.push(response.clone());
        if seen.to_lose > 0 {
            seen.to_lose -= 1;
            return Err(Error::new(ErrorKind::Transport, "the answer was lost on its way"));
        }
        Ok(response)
    }
}
