//! The client against a service by script: the cases of the specification's own test suite (UTS) by their ids, and
//! ours.

mod authorize;
mod client_id;
mod complaints;
mod concurrency;
mod points;
mod providers;
mod renewal;
mod request_params;
mod revocation;
mod schemes;
mod secrets;
mod source;
mod time;
mod token_details;
mod token_types;
mod told;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::ably::{
    ApiKey, AuthCallback, AuthOptions, AuthUrl, ClientId, Nonce, TokenDetails, TokenParams, TokenReply,
    TokenRequest,
};
use auth_core::time::{Moment, Now, Timestamp};
use auth_core::{Error, ErrorKind, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};

use super::wire::error_of;
use super::{Auth, Builder, Surroundings};
use crate::exchange::HttpExchange;
use crate::freshness::Freshness as _;
use crate::grant::Delay;
use crate::testing::{Fixed, reply};

/// The time at which tests begin, in milliseconds.
const START: u64 = 1_700_000_000_000;
const KEY: &str = "appId.keyId:keySecret";
const AUTH_URL: &str = "https://auth.example.com/token";

/// A service and an auth URL that answer by script, and a clock that a test moves.
struct World {
    answer: Box<Answering>,
    asked: Mutex<Vec<Request<Bytes>>>,
    millis: AtomicU64,
    /// How far the wall clock alone is ahead, in milliseconds: set forward, or the machine slept.
    ahead: AtomicU64,
}

type Answering = dyn Fn(&Request<Bytes>, usize) -> Result<Response<Bytes>, Error> + Send + Sync;

impl World {
    /// Answers each request with what `answer` makes of it and its number, from 1 on.
    fn new(answer: impl Fn(&Request<Bytes>, usize) -> Response<Bytes> + Send + Sync + 'static) -> Arc<Self> {
        Self::failing(move |request, number| Ok(answer(request, number)))
    }

    fn failing(
        answer: impl Fn(&Request<Bytes>, usize) -> Result<Response<Bytes>, Error> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            asked: Mutex::default(),
            millis: AtomicU64::new(START),
            ahead: AtomicU64::new(0),
        })
    }

    /// A service that grants every request, and issues `obtained-1`, `obtained-2`… for an hour. An auth URL gives
    /// `authurl-1`….
    fn content() -> Arc<Self> {
        let issued = AtomicU64::new(0);
        Self::new(move |request, _| {
            let next = || issued.fetch_add(1, Ordering::Relaxed) + 1;
            if request.uri().path().ends_with("/requestToken") {
                json(201, &details(&format!("obtained-{}", next())))
            } else if request.uri().host() == Some("auth.example.com") {
                json(200, &details(&format!("authurl-{}", next())))
            } else if request.uri().path() == "/time" {
                json(200, &format!("[{START}]"))
            } else {
                json(200, r#"{"channelId":"test"}"#)
            }
        })
    }

    fn surroundings(self: &Arc<Self>) -> Surroundings {
        let (clock, fixed) = (Arc::clone(self), Fixed::new());
        Surroundings {
            http: Arc::clone(self) as _,
            clock: Arc::new(move || clock.now()),
            random: Arc::new(move || fixed.random()),
            delay: Arc::new(TokioDelay),
        }
    }

    fn builder(self: &Arc<Self>, options: AuthOptions) -> Builder {
        Auth::builder(options, self.surroundings()).with_endpoint("https://rest.example.com")
    }

    fn client(self: &Arc<Self>, options: AuthOptions) -> Auth {
        self.builder(options).build().unwrap()
    }

    fn now(&self) -> Now {
        let millis = self.millis.load(Ordering::Relaxed);
        let mono = Moment::since_origin(Duration::from_millis(millis - START));
        Now { wall: Timestamp::from_millis(millis + self.ahead.load(Ordering::Relaxed)), mono }
    }

    fn advance(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// Puts the wall clock forward, and not the monotonic one.
    fn set_forward(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.ahead.fetch_add(millis, Ordering::Relaxed);
    }

    fn asked(&self) -> Vec<Request<Bytes>> {
        self.asked.lock().unwrap().clone()
    }

    /// What was asked at paths that end like this.
    fn asked_at(&self, path: &str) -> Vec<Request<Bytes>> {
        self.asked().into_iter().filter(|asked| asked.uri().path().ends_with(path)).collect()
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl HttpExchange for World {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.clone());
            asked.len()
        };
        // A real one is never ready at once.
        tokio::task::yield_now().await;
        (self.answer)(&request, number)
    }
}

struct TokioDelay;

impl Delay for TokioDelay {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A callback that gives what a function makes of the number of the call, from 1 on; it keeps the parameters.
#[derive(Clone)]
struct Calls(Arc<Mutex<Vec<TokenParams>>>);

impl Calls {
    fn giving(
        give: impl Fn(usize) -> Result<TokenReply, Error> + Send + Sync + 'static,
    ) -> (Self, Arc<dyn AuthCallback>) {
        let calls = Self(Arc::default());
        let kept = calls.clone();
        let give = Arc::new(give);
        let callback = super::callback(move |params| {
            let number = {
                let mut kept = kept.0.lock().unwrap();
                kept.push(params);
                kept.len()
            };
            let give = Arc::clone(&give);
            async move { give(number) }
        });
        (calls, callback)
    }

    /// `token-1`, `token-2`… for an hour each.
    fn numbered() -> (Self, AuthOptions) {
        let (calls, callback) = Self::giving(|number| Ok(lasting(&format!("token-{number}"))));
        (calls, AuthOptions::new().with_auth_callback(callback))
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn params(&self, call: usize) -> TokenParams {
        self.0.lock().unwrap()[call - 1].clone()
    }
}

fn given(token: &str) -> TokenDetails {
    TokenDetails::new(Secret::from(token)).with_expires(Timestamp::from_millis(START + 3_600_000))
}

fn lasting(token: &str) -> TokenReply {
    TokenReply::Details(given(token))
}

fn details(token: &str) -> String {
    given(token).to_json().expose().to_owned()
}

fn json(status: u16, body: &str) -> Response<Bytes> {
    reply(status, &[("content-type", "application/json")], body)
}

/// An error of the service.
fn refusal(status: u16, code: u32) -> Response<Bytes> {
    json(status, &format!(r#"{{"error":{{"code":{code},"statusCode":{status},"message":"canary"}}}}"#))
}

fn key() -> ApiKey {
    ApiKey::parse(KEY).unwrap()
}

fn with_key() -> AuthOptions {
    AuthOptions::new().with_key(key())
}

fn with_url() -> AuthOptions {
    AuthOptions::new().with_auth_url(AuthUrl::new(AUTH_URL))
}

fn with_token(token: &str) -> AuthOptions {
    AuthOptions::new().with_token(TokenDetails::new(Secret::from(token)))
}

fn id(text: &str) -> ClientId {
    ClientId::new(text).unwrap()
}

/// A token request that somebody else signed.
fn foreign_request() -> TokenRequest {
    let now = Now { wall: Timestamp::from_millis(START - 1_000), mono: Moment::ORIGIN };
    TokenRequest::sign(&key(), &TokenParams::new(), now, Nonce::new("0123456789abcdef").unwrap())
}

/// Asks for the status of a channel, and fails as the reply does.
async fn status(auth: &Auth) -> Result<Response<Bytes>, Error> {
    let response = auth.request(Request::get("/channels/test").body(Bytes::new()).unwrap()).await?;
    error_of(&response).map_or(Ok(response), Err)
}

/// The token of a request, which travels in base64.
fn token_of(request: &Request<Bytes>) -> String {
    let value = request.headers()["authorization"].to_str().unwrap();
    let token = STANDARD.decode(value.strip_prefix("Bearer ").unwrap()).unwrap();
    String::from_utf8(token).unwrap()
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    request.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn code(error: &Error) -> u32 {
    error.code().unwrap_or_default()
}

/// The cause of an error.
fn cause(error: &Error) -> &Error {
    std::error::Error::source(error).and_then(|cause| cause.downcast_ref()).expect("an error with a cause")
}

fn down() -> Error {
    Error::new(ErrorKind::Transport, "authentication server unavailable")
}
