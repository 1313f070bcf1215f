//! Whom the server says that a connection speaks for, held against the client's own identity (RSA15, RSA7b3).

use std::sync::{Mutex, PoisonError};

use auth_core::ably::{ErrorCode, TokenClientId};
use auth_core::{Error, ErrorKind, Retry};
use auth_http::ably::Auth;
use serde_json::Value;
use ws_session::dialect::{Authenticator, Captures, Meaning, Phase, Verdict};
use ws_session::driver::tokio::Control;
use ws_session::machine::State;

/// Reads each CONNECTED before it counts.
#[derive(Debug)]
pub(super) struct Identity {
    auth: Auth,
    /// The last that did not fit.
    mismatch: Mutex<Option<Error>>,
}

impl Identity {
    pub(super) const fn of(auth: Auth) -> Self {
        Self { auth, mismatch: Mutex::new(None) }
    }

    /// Why a session ended, in Ably's words.
    pub(super) fn explain(&self, error: &ws_session::Error) -> Error {
        use ws_session::ErrorKind as Ended;
        if let Some(error) = error.token_error() {
            return error.clone();
        }
        let mismatch = self.mismatch.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (error.kind(), error.code(), mismatch) {
            (Ended::AuthenticationRefused, None, Some(mismatch)) => mismatch,
            (_, Some(code @ 40_000..), _) => ErrorCode::new(code.into()).error(error.to_string()),
            (Ended::Closed, ..) => Error::new(ErrorKind::Closed, error.to_string()),
            (Ended::Timeout, ..) => Error::new(ErrorKind::Timeout, error.to_string()),
            _ => Error::new(ErrorKind::Refused, error.to_string()),
        }
    }

    /// Why nothing came of what was asked of a session: why that failed, or else this text, under this code where it goes on.
    pub(super) fn why(&self, control: &Control, code: ErrorCode, text: String) -> Error {
        if let Some(error) = control.error() {
            return self.explain(&error);
        }
        match control.state() {
            // One that was dropped stands where it stood.
            state if state == State::Closing || control.has_ended() => Error::new(ErrorKind::Closed, text),
            State::Suspended => SUSPENDED.error(text).with_retry(Retry::Backoff),
            _ => code.error(text).with_retry(Retry::Backoff),
        }
    }
}

impl Authenticator for Identity {
    fn read(&self, _: Phase, message: &Value, _: &Captures) -> Option<Meaning> {
        let details = message.get("connectionDetails").filter(|_| message["action"] == CONNECTED)?;
        let client_id = details.get("clientId").and_then(Value::as_str).map(TokenClientId::new).transpose();
        let invalid = |_| {
            let text = "the server names a clientId that can't be one; check the server";
            ErrorCode::INCOMPATIBLE_CREDENTIALS.error(text)
        };
        let checked = client_id.map_err(invalid).and_then(|client_id| self.auth.connected_as(client_id));
        let mismatch = checked.err();
        let refused = mismatch.is_some();
        *self.mismatch.lock().unwrap_or_else(PoisonError::into_inner) = mismatch;
        refused.then_some(Meaning::Failed(Verdict::Rejected))
    }
}

const CONNECTED: u8 = 4;

const SUSPENDED: ErrorCode = ErrorCode::new(80_002);
