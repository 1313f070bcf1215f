//! What the tests of this crate share: fixed freshness, a key, a scripted exchange, and a look into tokens.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_core::jwt::{SignJws, SigningKey};
use auth_core::time::Timestamp;
use auth_core::{Error, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};

use crate::exchange::HttpExchange;
use crate::freshness::Freshness;

/// Freshness that counts: 1 700 000 000 s, and bytes of 1, 2, 3…
pub(crate) struct Fixed {
    drawn: AtomicU8,
    pub(crate) millis: AtomicU64,
}

impl Fixed {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { drawn: AtomicU8::new(0), millis: AtomicU64::new(1_700_000_000_000) })
    }
}

impl Freshness for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::Relaxed))
    }

    fn random(&self) -> [u8; 32] {
        [self.drawn.fetch_add(1, Ordering::Relaxed) + 1; 32]
    }
}

/// The key of RFC 7515 Appendix A.3, under a name.
pub(crate) fn es256() -> Arc<dyn SignJws> {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
    Arc::new(SigningKey::from_jwk(&Secret::from(jwk)).unwrap().with_key_id("k1"))
}

/// A segment of a token, decoded.
pub(crate) fn part(token: &str, index: usize) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

pub(crate) fn claims(token: &str) -> serde_json::Value {
    serde_json::from_str(&part(token, 1)).unwrap()
}

/// The parameters of a form, in order.
pub(crate) fn form(request: &Request<Bytes>) -> Vec<(String, String)> {
    form_urlencoded::parse(request.body()).into_owned().collect()
}

/// The value of the only parameter of this name.
pub(crate) fn value(request: &Request<Bytes>, name: &str) -> Option<String> {
    let values: Vec<_> = form(request).into_iter().filter(|(is, _)| is == name).collect();
    assert!(values.len() < 2, "{name} stands twice");
    values.into_iter().next().map(|(_, value)| value)
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Bytes::from(body.to_owned())).unwrap()
}

pub(crate) const TOKEN: &str = r#"{"access_token":"t1","token_type":"Bearer","expires_in":60}"#;

/// An exchange that gives the scripted answers in order, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Result<Response<Bytes>, Error>>>,
    asked: Mutex<Vec<Request<Bytes>>>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Result<Response<Bytes>, Error>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() })
    }

    pub(crate) fn of(answers: impl IntoIterator<Item = (u16, &'static str)>) -> Arc<Self> {
        Self::new(answers.into_iter().map(|(status, body)| Ok(reply(status, &[], body))))
    }

    pub(crate) fn answer(&self, answer: Result<Response<Bytes>, Error>) {
        self.answers.lock().unwrap().push_back(answer);
    }

    pub(crate) fn asked(&self) -> Vec<Request<Bytes>> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl HttpExchange for Scripted {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.asked.lock().unwrap().push(request);
        self.answers.lock().unwrap().pop_front().expect("no further request was expected")
    }
}
