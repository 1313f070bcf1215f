//! Ably's error as it travels: `{"error":{"code":…,"statusCode":…,"message":…}}`.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::{Action, ErrorCode};
use crate::Error;
use crate::json::from_object;
use crate::observe::Label;

/// An error of Ably's service (TI1): a number, the HTTP status, and words for people.
///
/// The words are a stranger's: they are kept as a bounded [`Label`], and never reach an [`Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorInfo {
    /// The number.
    pub code: ErrorCode,
    /// The HTTP status; where the body had none, the one that usually goes with the number.
    pub status: u16,
    /// What it says for people.
    pub message: Label,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    error: Wire,
}

/// What stands under `error`, there and in the results of a batch.
#[derive(Serialize, Deserialize)]
pub(super) struct Wire {
    code: u32,
    #[serde(rename = "statusCode", default)]
    status: Option<u16>,
    #[serde(default)]
    message: Option<String>,
}

impl ErrorInfo {
    /// An error to send.
    #[must_use]
    pub fn new(code: ErrorCode, status: u16, message: &str) -> Self {
        Self { code, status, message: Label::new(message) }
    }

    /// Reads the body of an error reply; `None` when it is something else.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        from_object::<Envelope>(body).ok().map(|envelope| envelope.error.into())
    }

    /// The body of an error reply. The reply should name the number in `X-Ably-Errorcode` too: ably-js reads the body only
    /// if its content type is exactly `application/json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&Envelope { error: self.into() }).unwrap_or_default()
    }

    /// The error that this means, with the advice of the table.
    #[must_use]
    pub fn to_error(&self) -> Error {
        let meaning = self.code.meaning().unwrap_or("the service refused with a number that is not known");
        let text = match self.code.action(self.status) {
            Action::RenewToken => format!("{meaning}; a new token may be accepted"),
            Action::SignAgain => {
                format!("{meaning}; sign another, with the server's time if the clock is in doubt")
            }
            Action::RetryLater => format!("{meaning}; it may pass"),
            Action::FixCaller | Action::FailChannel | Action::GiveUp | Action::Nothing => {
                String::from(meaning)
            }
        };
        self.code.error_with_status(self.status, text)
    }
}

impl From<Wire> for ErrorInfo {
    fn from(Wire { code, status, message }: Wire) -> Self {
        let code = ErrorCode::new(code);
        let status = status.unwrap_or_else(|| code.status());
        Self { code, status, message: Label::new(&message.unwrap_or_default()) }
    }
}

impl From<&ErrorInfo> for Wire {
    fn from(info: &ErrorInfo) -> Self {
        Self {
            code: info.code.number(),
            status: Some(info.status),
            message: Some(String::from(info.message.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::ToString as _;

    use super::*;
    use crate::{ErrorKind, Retry};

    #[test]
    fn the_error_of_the_facts_is_read_and_means_a_new_token() {
        let body = br#"{"error":{"code":40142,"statusCode":401,"message":"..","href":".."}}"#;
        let info = ErrorInfo::parse(body).unwrap();
        assert_eq!((info.code.number(), info.status, info.message.as_str()), (40_142, 401, ".."));
        let error = info.to_error();
        let advice = (error.kind(), error.retry(), error.code());
        assert_eq!(advice, (ErrorKind::InvalidToken, Retry::Reauthorize, Some(40_142)));
        assert_eq!(error.to_string(), "the token has expired; a new token may be accepted (code 40142)");
    }

    #[test]
    fn what_is_sent_reads_back() {
        let info = ErrorInfo::new(ErrorCode::CAPABILITY, 401, "no \"publish\"\n");
        assert_eq!(ErrorInfo::parse(info.to_json().as_bytes()), Some(info));
    }

    #[test]
    fn a_missing_status_is_taken_from_the_table_and_other_bodies_are_none() {
        assert_eq!(ErrorInfo::parse(br#"{"error":{"code":40400}}"#).unwrap().status, 404);
        for body in [&b""[..], b"<html>", b"{}", br#"{"error":"x"}"#, br#"{"error":{"code":"x"}}"#, b"[]"] {
            assert_eq!(ErrorInfo::parse(body), None);
        }
    }

    #[test]
    fn the_services_words_stay_out_of_our_errors() {
        let body = br#"{"error":{"code":40101,"statusCode":401,"message":"canary"}}"#;
        let error = ErrorInfo::parse(body).unwrap().to_error();
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
