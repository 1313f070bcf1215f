//! A session on smol: its owner polls it, and brings two functions, one that connects and one that waits. Its tokens come
//! from a source of one's own.
#![expect(clippy::disallowed_methods, reason = "an example reads its credentials from the environment")]

use std::env;
use std::sync::Arc;

use realtime_auth::core::{Demand, Error, ErrorKind, Secret, Token, TokenSource};
use realtime_auth::http::wire::{TokenEndpoint, TokenForm};
use realtime_auth::ws::dialect::Dialect;
use realtime_auth::ws::driver::futures::{Functions, Server, Session, Target};

/// Asks the token endpoint each time. A session asks once for each connection, and before the token expires.
struct Endpoint(TokenEndpoint);

#[async_trait::async_trait]
impl TokenSource for Endpoint {
    async fn token(&self, _demand: Demand) -> Result<Token, Error> {
        let request = self.0.request(&TokenForm::client_credentials(), None)?.map(Vec::from);
        let exchange = move || {
            let (head, mut body) = ureq::run(request)?.into_parts();
            Ok(http::Response::from_parts(head, body.read_to_vec()?.into()))
        };
        let unreachable = |_: ureq::Error| Error::new(ErrorKind::Transport, "the server can't be reached");
        let response = self.0.read(&smol::unblock(exchange).await.map_err(unreachable)?)?;
        let token = Token::new(response.access_token).with_type(response.token_type);
        Ok(match response.expires_in {
            Some(lifetime) => token.with_expires_in(lifetime).with_renew_in(lifetime / 2),
            None => token,
        })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let region = env::var("GENESYS_REGION")?;
    let secret = Secret::from(env::var("GENESYS_CLIENT_SECRET")?);
    let endpoint =
        TokenEndpoint::new(&format!("{region}/oauth/token"), &env::var("GENESYS_CLIENT_ID")?, secret)?;
    let target = Target::new(&(region.replace("http", "ws") + "/ws"))?;

    // To a server elsewhere, this one would encrypt too.
    let connect = |server: Server| async move {
        let stream = smol::net::TcpStream::connect((server.host(), server.port())).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let runtime = Functions::new(connect, |duration| async move {
        smol::Timer::after(duration).await;
    });

    smol::block_on(async {
        let mut session = Session::builder(target, Dialect::genesys(), Arc::new(Endpoint(endpoint)))
            .build(Arc::new(runtime));
        session.send("hello from smol").await?; // connects, logs in and sends
        println!("{:?}", session.next().await);
        session.close();
        while session.next().await.is_some() {}
        match session.error() {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    })
}
