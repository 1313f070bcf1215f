//! Tokens over an HTTP client of your own: the one trait to implement, here for the blocking client ureq.
//!
//! A client that is made for browsing does three things that hurt with credentials, so an adapter turns them off: it follows
//! redirects, it reads replies of any size, and it sends a request again over a fresh connection when a kept one broke.
#![expect(clippy::disallowed_methods, reason = "an example reads its credentials from the environment")]

use std::env;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use realtime_auth::core::{Error, ErrorKind, Secret};
use realtime_auth::http::exchange::HttpExchange;
use realtime_auth::http::wire::{TokenEndpoint, TokenForm};
use ureq::Agent;

/// The largest reply that is read, in bytes.
const LARGEST_REPLY: u64 = 64 * 1024;

struct Ureq(Agent);

impl Ureq {
    fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .timeout_connect(Some(Duration::from_secs(10)))
            .max_redirects(0)
            .max_redirects_will_error(false) // a redirect is an answer, and the caller refuses it
            .http_status_as_error(false) // so is a refusal: its body says why
            .max_idle_connections(0) // no kept connection, no doubt about what it did
            .proxy(None) // by default it would look into the environment
            .build();
        Self(config.into())
    }

    fn send(agent: &Agent, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, mut body) = agent.run(request.map(Vec::from))?.into_parts();
        let body = body.with_config().limit(LARGEST_REPLY).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}

#[async_trait::async_trait]
impl HttpExchange for Ureq {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let agent = self.0.clone();
        // It blocks, so it gets a thread; this works on any runtime.
        smol::unblock(move || Self::send(&agent, request)).await.map_err(|error| failed(&error))
    }
}

/// What an error means to whoever holds a refresh token: whether the server may have redeemed it already.
fn failed(error: &ureq::Error) -> Error {
    use ureq::Timeout::{Connect, Resolve};
    let failure = match error {
        ureq::Error::Timeout(_) => Error::new(ErrorKind::Timeout, "the server did not answer in time"),
        ureq::Error::Protocol(_)
        | ureq::Error::BodyExceedsLimit(_)
        | ureq::Error::LargeResponseHeader(..) => {
            Error::new(ErrorKind::MalformedResponse, "the server's answer can't be read; check the URL")
        }
        _ => Error::new(ErrorKind::Transport, "the server can't be reached, or the connection broke"),
    };
    let unsent = match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Timeout(phase) => matches!(phase, Resolve | Connect),
        // Only a refused connection is certain: other failures may have come after the request.
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        _ => false,
    };
    // The cause may be printed, and this one may hold what was sent: it stays here.
    if unsent { failure.without_effect() } else { failure }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = format!("{}/oauth/token", env::var("GENESYS_REGION")?);
    let secret = Secret::from(env::var("GENESYS_CLIENT_SECRET")?);
    let endpoint = TokenEndpoint::new(&url, &env::var("GENESYS_CLIENT_ID")?, secret)?;

    // By hand, to show both ends of the trait; `ClientCredentials::new(endpoint, Arc::new(Ureq::new()))` does the same.
    let request = endpoint.request(&TokenForm::client_credentials(), None)?;
    let reply = smol::block_on(Ureq::new().exchange(request))?;
    let token = endpoint.read(&reply)?;
    println!("a token over ureq, good for {:?}", token.expires_in.unwrap_or_default());

    // A server that is not there: nothing was sent, so a refresh token would still be good.
    let gone = TokenEndpoint::new("http://127.0.0.1:1/token", "id", Secret::from("secret"))?;
    let request = gone.request(&TokenForm::refresh_token(&Secret::from("refresh")), None)?;
    match smol::block_on(Ureq::new().exchange(request)) {
        Err(error) if !error.is_in_doubt() => println!("not sent: {error}"),
        outcome => return Err(format!("a server that is not there answered {outcome:?}").into()),
    }
    Ok(())
}
