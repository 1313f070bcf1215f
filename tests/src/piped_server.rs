//! A token endpoint at the other end of a pipe in memory: HTTP by hyper on both ends, in virtual time, with a clock of its own.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::time::{Now, Timestamp};
use auth_core::{Error, ErrorKind, Secret};
use auth_http::exchange::HttpExchange;
use auth_http::grant::{ClientCredentials, RefreshToken};
use auth_http::manager::Timer as _;
use auth_http::wire::TokenEndpoint;
use bytes::Bytes;
use gateway::{Approved, Authenticator as _, Issuer as _, JwtAuthority, Presented};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;

use crate::wrong_clocks::WrongClocks;

/// Issues JSON Web Tokens by its own clock, and judges by that clock those that are presented. Clones are the same server.
#[derive(Clone)]
pub struct PipedServer(Arc<Inner>);

struct Inner {
    clocks: WrongClocks,
    ahead_s: i64,
    lifetime: Duration,
    authority: JwtAuthority,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mood: Mood,
    keeps_lifetimes_secret: bool,
    requests: Vec<Timestamp>,
    issued: u64,
    refused: u64,
    /// Refresh tokens redeemed.
    redeemed: u64,
    reused: u64,
}

/// How the server answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    /// With a token.
    #[default]
    Issues,
    /// With a token, after this time.
    Slow(Duration),
    /// With status 503.
    Unavailable,
    /// Not at all: the connection stays open.
    Hangs,
    /// Not at all: the connection breaks.
    Resets,
}

impl PipedServer {
    /// A server whose clock is this many seconds ahead of true time, or behind; its tokens live this long.
    #[must_use]
    pub fn new(clocks: &WrongClocks, ahead_s: i64, lifetime: Duration) -> Self {
        let authority = JwtAuthority::with_random_key();
        let clocks = clocks.clone();
        Self(Arc::new(Inner { clocks, ahead_s, lifetime, authority, state: Mutex::default() }))
    }

    /// From now on it answers like this.
    pub fn be(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// From now on only the tokens themselves say how long they live.
    pub fn keep_lifetimes_secret(&self) {
        self.state().keeps_lifetimes_secret = true;
    }

    /// When each request came, in truth.
    #[must_use]
    pub fn requests(&self) -> Vec<Timestamp> {
        self.state().requests.clone()
    }

    /// How many tokens it has issued.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.state().issued
    }

    /// How many of the tokens that were presented it refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.state().refused
    }

    /// Presents a token, as to a server that takes it; says whether it was taken.
    pub async fn takes(&self, token: &Secret) -> bool {
        let verdict =
            self.0.authority.authenticate(self.now(), &Presented::new(token.clone(), false)).await.is_ok();
        self.state().refused += u64::from(!verdict);
        verdict
    }

    /// How a client asks it for itself.
    #[must_use]
    pub fn grant(&self) -> ClientCredentials {
        ClientCredentials::new(endpoint(), Arc::new(self.clone()))
    }

    /// How many refresh tokens were presented that were spent, or never issued.
    #[must_use]
    pub fn reused(&self) -> u64 {
        self.state().reused
    }

    /// How a client asks it with the refresh tokens of a login, each of which serves once.
    #[must_use]
    pub fn login(&self) -> RefreshToken {
        RefreshToken::new(endpoint(), Arc::new(self.clone()), Secret::from("refresh-0"))
    }

    /// What its clock says.
    fn now(&self) -> Now {
        let wall = self.0.clocks.truth().as_millis().saturating_add_signed(self.0.ahead_s * 1_000);
        Now { wall: Timestamp::from_millis(wall), ..self.0.clocks.now() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        let (mood, keeps_lifetimes_secret) = {
            let mut state = self.state();
            state.requests.push(self.0.clocks.truth());
            (state.mood, state.keeps_lifetimes_secret)
        };
        match mood {
            Mood::Issues => {}
            Mood::Slow(duration) => tokio::time::sleep(duration).await,
            Mood::Unavailable => return Ok(reply(503, self.now(), String::new())),
            Mood::Hangs => pending().await,
            Mood::Resets => return Err(io::ErrorKind::ConnectionReset.into()),
        }
        let now = self.now();
        let approved = Approved::new("id", auth_core::scope::Scopes::default(), self.0.lifetime);
        let token = self.0.authority.issue(now, &approved);
        let mut answer = json!({ "access_token": token.expose() });
        if !keeps_lifetimes_secret {
            answer["expires_in"] = self.0.lifetime.as_secs().into();
        }
        if let Some(refresh_token) = refresh_token(&body) {
            match self.redeem(refresh_token) {
                Some(successor) => answer["refresh_token"] = successor.into(),
                None => return Ok(reply(400, now, json!({ "error": "invalid_grant" }).to_string())),
            }
        }
        self.state().issued += 1;
        Ok(reply(200, now, answer.to_string()))
    }

    /// The refresh token that replaces this one, unless this one was replaced already.
    fn redeem(&self, refresh_token: &str) -> Option<String> {
        let mut state = self.state();
        if refresh_token != format!("refresh-{}", state.redeemed) {
            state.reused += 1;
            return None;
        }
        state.redeemed += 1;
        Some(format!("refresh-{}", state.redeemed))
    }
}

fn refresh_token(body: &[u8]) -> Option<&str> {
    std::str::from_utf8(body).ok()?.split('&').find_map(|pair| pair.strip_prefix("refresh_token="))
}

#[async_trait]
impl HttpExchange for PipedServer {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let (ours, theirs) = tokio::io::duplex(4_096);
        let server = self.clone();
        let serving = hyper::server::conn::http1::Builder::new().auto_date_header(false).serve_connection(
            TokioIo::new(theirs),
            service_fn(move |request| {
                let server = server.clone();
                async move { server.answer(request).await }
            }),
        );
        let exchange = async {
            let (mut client, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.map_err(broken)?;
            let reply = async {
                let reply = client.send_request(request.map(Full::new)).await.map_err(broken)?;
                let (head, body) = reply.into_parts();
                let body = body.collect().await.map_err(broken)?;
                Ok(Response::from_parts(head, body.to_bytes()))
            };
            tokio::select! {
                reply = reply => reply,
                // A connection that ends has told the request, which is looked at first the next time.
                never = async { let _ = connection.await; pending::<Infallible>().await } => match never {},
            }
        };
        tokio::select! {
            reply = exchange => reply,
            never = async { let _ = serving.await; pending::<Infallible>().await } => match never {},
        }
    }
}

impl fmt::Debug for PipedServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        formatter
            .debug_struct("PipedServer")
            .field("mood", &state.mood)
            .field("requests", &state.requests.len())
            .field("refused", &state.refused)
            .finish_non_exhaustive()
    }
}

#[expect(clippy::expect_used, reason = "the URL is sound")]
fn endpoint() -> TokenEndpoint {
    TokenEndpoint::new("http://localhost/token", "id", Secret::from("secret")).expect("a loopback URL")
}

fn broken(error: hyper::Error) -> Error {
    Error::new(ErrorKind::Transport, "the pipe broke").with_source(error)
}

#[expect(clippy::expect_used, reason = "numbers and ASCII make a reply")]
fn reply(status: u16, now: Now, body: String) -> Response<Full<Bytes>> {
    let reply = Response::builder().status(status).header("content-type", "application/json");
    reply.header("date", http_date(now.wall)).body(Full::from(body)).expect("a reply")
}

/// The form of RFC 9110 §5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(time: Timestamp) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // As in `2024-05-15T10:30:05.123Z`.
    let text = time.to_string();
    let month = text[5..7].parse::<usize>().unwrap_or(1);
    let weekday = usize::try_from(time.as_secs() / 86_400 % 7).unwrap_or(0);
    let (weekday, month) = (WEEKDAYS[weekday], MONTHS[month - 1]);
    format!("{weekday}, {} {month} {} {} GMT", &text[8..10], &text[..4], &text[11..19])
}
