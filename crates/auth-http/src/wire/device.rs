//! Logins on another device (RFC 8628): asking for a code that a person types in elsewhere.

use std::fmt;
use std::time::Duration;

use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Secret};
use bytes::Bytes;
use http::{Request, Response, Uri};
use serde::Deserialize;

use super::reply::failure;
use super::token::post;
use super::url::EndpointUrl;
use super::{ClientAuthentication, ConfigError, TokenForm, Wanted};

/// A device authorization endpoint, and the client that logs people in there.
#[derive(Debug, Clone)]
pub struct DeviceEndpoint {
    url: EndpointUrl,
    client: ClientAuthentication,
}

impl DeviceEndpoint {
    /// The endpoint at `uri`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAUrl`] and [`ConfigError::Plaintext`].
    pub fn new(uri: &str, client: ClientAuthentication) -> Result<Self, ConfigError> {
        Ok(Self { url: EndpointUrl::parse(uri)?, client })
    }

    /// The request for a code (RFC 8628 §3.1).
    ///
    /// # Errors
    ///
    /// Those of the key that signs, if one does.
    pub fn request(&self, wanted: &Wanted, server_time: Option<Timestamp>) -> Result<Request<Bytes>, Error> {
        post(&self.url, &self.client, &TokenForm::empty().with_wanted(wanted), server_time)
    }

    /// What a reply means (RFC 8628 §3.2).
    ///
    /// # Errors
    ///
    /// As for a token endpoint; [`MalformedResponse`](ErrorKind::MalformedResponse) when it lacks a code, or sends the
    /// person to something that is no web page.
    pub fn read(&self, response: &Response<Bytes>) -> Result<DeviceLogin, Error> {
        if !response.status().is_success() {
            return Err(failure("the device authorization endpoint", response));
        }
        serde_json::from_slice(response.body()).ok().and_then(DeviceLogin::of).ok_or_else(|| {
            let text =
                "the device authorization endpoint's answer has no code for a person to type; check its URL";
            Error::new(ErrorKind::MalformedResponse, text).with_code(response.status().as_u16().into())
        })
    }
}

/// What a person must do, and until when.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeviceLogin {
    /// The code that the program asks for its token with; the person never sees it.
    pub device_code: Secret,
    /// The code that the person types.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code.
    pub verification_uri_complete: Option<String>,
    /// How long both codes live; half an hour where the server does not say.
    pub expires_in: Duration,
    /// How long to wait between two requests: 5 s where the server does not say.
    pub interval: Duration,
}

/// RFC 8628 §3.2. What is optional, or wrong in servers that are used, is read in every shape.
#[derive(Deserialize)]
struct Wire {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(default, alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    interval: Option<serde_json::Value>,
}

impl DeviceLogin {
    fn of(wire: Wire) -> Option<Self> {
        if wire.device_code.is_empty() || !is_typed(&wire.user_code) || !is_page(&wire.verification_uri) {
            return None;
        }
        Some(Self {
            device_code: Secret::from(wire.device_code),
            user_code: wire.user_code,
            verification_uri: wire.verification_uri,
            verification_uri_complete: wire.verification_uri_complete.filter(|uri| is_page(uri)),
            expires_in: seconds(wire.expires_in).unwrap_or(Duration::from_secs(1_800)),
            interval: seconds(wire.interval).unwrap_or(Duration::from_secs(5)).max(Duration::from_secs(1)),
        })
    }
}

impl fmt::Debug for DeviceLogin {
    /// Leaves out the codes: whoever has one of them can end the login in their own name.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            device_code: _,
            user_code: _,
            verification_uri,
            verification_uri_complete: _,
            expires_in,
            interval,
        } = self;
        formatter
            .debug_struct("DeviceLogin")
            .field("verification_uri", verification_uri)
            .field("expires_in", expires_in)
            .field("interval", interval)
            .finish_non_exhaustive()
    }
}

/// Whether a person can type it from what is shown: letters and digits with what stands between them, and not many
/// (RFC 8628 §6.1 advises eight or so).
fn is_typed(code: &str) -> bool {
    let between = |character| matches!(character, '-' | ' ' | '.' | '_');
    (1..=64).contains(&code.len())
        && code.chars().any(char::is_alphanumeric)
        && code.chars().all(|character| character.is_alphanumeric() || between(character))
}

/// Whether a person can be sent there: a web page, whose URL shows nothing but itself.
fn is_page(text: &str) -> bool {
    let uri = text.parse::<Uri>();
    text.bytes().all(|byte| byte.is_ascii_graphic())
        && uri.is_ok_and(|uri| matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some())
}

fn seconds(value: Option<serde_json::Value>) -> Option<Duration> {
    let seconds = match value? {
        serde_json::Value::Number(number) => number.as_f64()?,
        serde_json::Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::reply;

    fn endpoint() -> DeviceEndpoint {
        let client = ClientAuthentication::none("1406020730").unwrap();
        DeviceEndpoint::new("https://server.example.com/device_authorization", client).unwrap()
    }

    fn read(body: &str) -> Result<DeviceLogin, Error> {
        endpoint().read(&reply(200, &[], body))
    }

    /// RFC 8628 §3.1.
    #[test]
    fn a_code_is_asked_for_as_in_rfc_8628() {
        let wanted = Wanted::new().with_scope("example_scope".parse().unwrap());
        let request = endpoint().request(&wanted, None).unwrap();
        assert_eq!(&request.body()[..], b"scope=example_scope&client_id=1406020730");
    }

    /// RFC 8628 §3.2.
    #[test]
    fn the_answer_of_rfc_8628_is_read() {
        let login = read(
            r#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"WDJB-MJHT",
                "verification_uri":"https://example.com/device",
                "verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT",
                "expires_in":1800,"interval":7}"#,
        )
        .unwrap();
        assert_eq!(login.device_code.expose(), "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS");
        assert_eq!(
            (login.user_code.as_str(), login.verification_uri.as_str()),
            ("WDJB-MJHT", "https://example.com/device")
        );
        assert!(login.verification_uri_complete.is_some());
        assert_eq!((login.expires_in, login.interval), (Duration::from_secs(1_800), Duration::from_secs(7)));
    }

    #[test]
    fn what_is_optional_has_the_defaults_of_the_specification() {
        let login = read(
            r#"{"device_code":"d","user_code":"u","verification_url":"https://a/","expires_in":"600","interval":0}"#,
        );
        let login = login.unwrap();
        assert_eq!((login.expires_in, login.interval), (Duration::from_secs(600), Duration::from_secs(1)));
        let login =
            read(r#"{"device_code":"d","user_code":"u","verification_uri":"https://a/","interval":-1}"#)
                .unwrap();
        assert_eq!((login.expires_in, login.interval), (Duration::from_secs(1_800), Duration::from_secs(5)));
    }

    #[test]
    fn nothing_is_shown_to_a_person_that_is_no_web_page() {
        for uri in ["javascript:alert(1)", "file:///etc/passwd", "https://a/\\u001b[2J", "", "https://"] {
            let body = format!(r#"{{"device_code":"d","user_code":"u","verification_uri":"{uri}"}}"#);
            assert_eq!(read(&body).unwrap_err().kind(), ErrorKind::MalformedResponse, "{uri}");
        }
        for body in
            ["", "{}", "<html>", r#"{"device_code":"","user_code":"u","verification_uri":"https://a/"}"#]
        {
            assert_eq!(read(body).unwrap_err().kind(), ErrorKind::MalformedResponse, "{body}");
        }
        for code in ["", "-", "AB\\u202eCD", "A\\nB", &"A".repeat(65)] {
            let body =
                format!(r#"{{"device_code":"d","user_code":"{code}","verification_uri":"https://a/"}}"#);
            assert_eq!(read(&body).unwrap_err().kind(), ErrorKind::MalformedResponse, "{code:?}");
        }
        let text = r#"{"device_code":"canary","user_code":"u\n\u001b","verification_uri":"https://a/"}"#;
        assert!(!format!("{:?}", read(text).unwrap_err()).contains("canary"));
    }

    #[test]
    fn no_way_of_formatting_shows_a_code() {
        let login = read(
            r#"{"device_code":"canary","user_code":"canary","verification_uri":"https://a/","verification_uri_complete":"https://a/canary"}"#,
        );
        let text = format!("{:?}", login.unwrap());
        assert!(!text.contains("canary"), "{text}");
    }
}
