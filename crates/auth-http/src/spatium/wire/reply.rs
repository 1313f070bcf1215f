//! The envelope of replies: whose it is, whether it is a refusal, and what is in it.

use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Secret};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use super::RequestId;
use crate::wire::{failure, server_time};

/// A successful reply to the request that was sent.
pub(super) struct Reply {
    body: Value,
    status: StatusCode,
    pub(super) server_time: Option<Timestamp>,
}

impl Reply {
    /// Reads the envelope. `unauthorized` says what a refusal with 401 means here.
    pub(super) fn read(
        id: &RequestId,
        response: &Response<Bytes>,
        unauthorized: (ErrorKind, &str),
    ) -> Result<Self, Error> {
        let status = response.status();
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        // Before the status: a verdict on somebody else's request is none on this.
        // Whoever leaves it out, as the documentation's shortened example does, says nothing of whom it answers.
        let echoed = body.get("requestId").filter(|echoed| !echoed.is_null());
        let is_ours =
            |echoed: &Value| echoed.as_str().is_some_and(|echoed| echoed.eq_ignore_ascii_case(id.as_str()));
        if echoed.is_some_and(|echoed| !is_ours(echoed)) {
            return Err(named(
                id,
                ErrorKind::MalformedResponse,
                "answered another request than this; see whether a proxy mixes replies up",
            )
            .with_code(status.as_u16().into()));
        }
        match status {
            _ if status.is_success() => {
                Ok(Self { body, status, server_time: server_time(response.headers()) })
            }
            StatusCode::UNAUTHORIZED => {
                let (kind, what) = unauthorized;
                Err(named(id, kind, what).with_code(status.as_u16().into()))
            }
            _ => {
                // The body is no OAuth error, whatever its words are.
                let mut bare = Response::new(Bytes::new());
                *bare.status_mut() = status;
                bare.headers_mut().clone_from(response.headers());
                Err(failure("the authorization service", &bare))
            }
        }
    }

    /// Takes a text that is not empty out of the reply.
    pub(super) fn secret(&mut self, pointer: &str) -> Option<Secret> {
        match self.body.pointer_mut(pointer).map(Value::take) {
            Some(Value::String(text)) if !text.is_empty() => Some(Secret::from(text)),
            _ => None,
        }
    }

    /// A time in seconds since the Unix epoch.
    pub(super) fn time(&self, pointer: &str) -> Option<Timestamp> {
        let seconds = self.body.pointer(pointer)?.as_f64()?;
        std::time::Duration::try_from_secs_f64(seconds).ok().map(Timestamp::since_epoch)
    }

    pub(super) fn lacks(&self, what: &str) -> Error {
        let text = format!("the authorization service's answer has no {what}; check its URL");
        Error::new(ErrorKind::MalformedResponse, text).with_code(self.status.as_u16().into())
    }
}

/// An error that names the request, for whoever can look it up at the service.
fn named(id: &RequestId, kind: ErrorKind, what: &str) -> Error {
    Error::new(kind, format!("the authorization service {what} (request {})", id.as_str()))
}
