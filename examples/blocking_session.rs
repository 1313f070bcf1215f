//! A session without any runtime: whoever calls it runs it. Its tokens come from a closure over a blocking HTTP client.
#![expect(clippy::disallowed_methods, reason = "an example reads its credentials from the environment")]

use std::env;
use std::time::Duration;

use realtime_auth::core::{Error, ErrorKind, Secret, Token};
use realtime_auth::http::wire::{TokenEndpoint, TokenForm};
use realtime_auth::ws::dialect::Dialect;
use realtime_auth::ws::driver::blocking::{Session, Target, asking};

/// One request, which may take its time: the session goes on meanwhile.
fn fetch(endpoint: &TokenEndpoint) -> Result<Token, Error> {
    let unreachable = |_: ureq::Error| Error::new(ErrorKind::Transport, "the server can't be reached");
    let request = endpoint.request(&TokenForm::client_credentials(), None)?.map(Vec::from);
    let (head, mut body) = ureq::run(request).map_err(unreachable)?.into_parts();
    let body = body.read_to_vec().map_err(unreachable)?;
    let response = endpoint.read(&http::Response::from_parts(head, body.into()))?;
    let token = Token::new(response.access_token).with_type(response.token_type);
    Ok(match response.expires_in {
        Some(lifetime) => token.with_expires_in(lifetime).with_renew_in(lifetime / 2),
        None => token,
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let region = env::var("GENESYS_REGION")?;
    let secret = Secret::from(env::var("GENESYS_CLIENT_SECRET")?);
    let endpoint =
        TokenEndpoint::new(&format!("{region}/oauth/token"), &env::var("GENESYS_CLIENT_ID")?, secret)?;
    let target = Target::new(&(region.replace("http", "ws") + "/ws"))?;

    let mut session =
        Session::builder(target, Dialect::genesys(), asking(move |_demand| fetch(&endpoint))).open();
    session.send("hello from a thread")?; // goes out once the session is in
    let answer = session.next(Duration::from_secs(20))?; // fetches, connects, logs in, sends and reads
    println!("{answer:?}");
    session.close()?;
    match session.take_returned().next() {
        Some(unsent) => Err(unsent.into()),
        None => Ok(()),
    }
}
