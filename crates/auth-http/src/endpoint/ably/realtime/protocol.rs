//! The frames of the protocol (TR2, TR4), as far as they are served.

use auth_core::ably::ErrorInfo;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::Refusal;

/// The numbers of the actions.
pub(super) mod action {
    pub(in super::super) const HEARTBEAT: u8 = 0;
    pub(in super::super) const ACK: u8 = 1;
    pub(in super::super) const NACK: u8 = 2;
    pub(in super::super) const CONNECTED: u8 = 4;
    pub(in super::super) const DISCONNECT: u8 = 5;
    pub(in super::super) const DISCONNECTED: u8 = 6;
    pub(in super::super) const CLOSE: u8 = 7;
    pub(in super::super) const CLOSED: u8 = 8;
    pub(in super::super) const ERROR: u8 = 9;
    pub(in super::super) const ATTACH: u8 = 10;
    pub(in super::super) const ATTACHED: u8 = 11;
    pub(in super::super) const DETACH: u8 = 12;
    pub(in super::super) const DETACHED: u8 = 13;
    pub(in super::super) const PRESENCE: u8 = 14;
    pub(in super::super) const MESSAGE: u8 = 15;
    pub(in super::super) const AUTH: u8 = 17;
    pub(in super::super) const OBJECT: u8 = 19;
    pub(in super::super) const ANNOTATION: u8 = 21;
}

/// A frame of a client's. A `null` is an absent member.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Frame {
    pub(super) action: u8,
    pub(super) id: Option<String>,
    pub(super) auth: Option<Auth>,
    pub(super) channel: Option<String>,
    pub(super) flags: Option<u64>,
    pub(super) params: Option<Map<String, Value>>,
    pub(super) msg_serial: Option<i64>,
    pub(super) messages: Option<Vec<Value>>,
    pub(super) presence: Option<Vec<Value>>,
}

/// What `AUTH` holds (AD2).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Auth {
    pub(super) access_token: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Auth(…)")
    }
}

/// An error as it stands in a frame.
pub(super) fn error(info: &ErrorInfo) -> Value {
    json!({ "code": info.code.number(), "statusCode": info.status, "message": info.message.as_str() })
}

/// The end of a connection, or of what is done on it. Ably's libraries take any `channel`, a `null` too, for a channel's error.
pub(super) fn failure(action: u8, refusal: &Refusal) -> Value {
    json!({ "action": action, "error": error(refusal.info()) })
}

/// The failure of a channel; the connection goes on.
pub(super) fn channel_failure(channel: &str, refusal: &Refusal) -> Value {
    json!({ "action": action::ERROR, "channel": channel, "error": error(refusal.info()) })
}

/// A failure of a connection in msgpack, for a library that reads nothing else.
pub(super) fn failure_in_msgpack(refusal: &Refusal) -> Vec<u8> {
    let info = refusal.info();
    let mut bytes = vec![0x82];
    text(&mut bytes, "action");
    bytes.push(action::ERROR);
    text(&mut bytes, "error");
    bytes.push(0x83);
    text(&mut bytes, "code");
    bytes.push(0xce);
    bytes.extend(info.code.number().to_be_bytes());
    text(&mut bytes, "statusCode");
    bytes.push(0xcd);
    bytes.extend(info.status.to_be_bytes());
    text(&mut bytes, "message");
    text(&mut bytes, info.message.as_str());
    bytes
}

/// A text in msgpack, of less than 64 KiB.
fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(0xda);
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use auth_core::ably::ErrorCode;

    use super::*;

    #[test]
    fn a_refusal_in_msgpack_has_the_bytes_of_the_format() {
        let refusal = Refusal::new(ErrorCode::new(40_013), "no");
        let expected = b"\x82\xda\0\x06action\x09\xda\0\x05error\x83\xda\0\x04code\xce\0\0\x9c\x4d\
            \xda\0\x0astatusCode\xcd\x01\x90\xda\0\x07message\xda\0\x02no";
        assert_eq!(failure_in_msgpack(&refusal), expected);
    }

    #[test]
    fn what_is_absent_may_be_null_and_no_frame_shows_its_token() {
        let frame: Frame =
            serde_json::from_str(r#"{"action":17,"channel":null,"auth":{"accessToken":"canary"}}"#).unwrap();
        assert_eq!((frame.action, frame.channel.is_none()), (action::AUTH, true));
        assert!(!format!("{frame:?}").contains("canary"));
        for text in ["{}", "5", "[]", r#"{"action":-1}"#, r#"{"action":15,"messages":{}}"#] {
            assert!(serde_json::from_str::<Frame>(text).is_err(), "{text}");
        }
    }
}
