//! Two hundred sessions that all lose their connections at once come back through one budget, each with a token of its own.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::renewal::Attempt;
use auth_core::{Demand, Error, Secret, Token, TokenSource};
use auth_http::client::HyperClient;
use auth_http::grant::{ClientCredentials, Grant as _};
use auth_http::wire::TokenEndpoint;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket::accept;
use realtime_auth_tests::script::{Answer, Script};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, watch};
use tokio::time::timeout;
use ws_session::dialect::{CredentialUse, Dialect};
use ws_session::driver::tokio::{ConnectBudget, Session, Target};
use ws_session::machine::State;

const SESSIONS: usize = 200;

/// What the endpoint and the server see together.
#[derive(Debug, Default)]
struct Seen {
    /// From the request for a token to the answer to the login.
    under_way: usize,
    most: usize,
    issued: usize,
    presented: HashSet<String>,
}

/// Asks the endpoint for each connection.
struct Endpoint(ClientCredentials);

#[async_trait]
impl TokenSource for Endpoint {
    async fn token(&self, _: Demand) -> Result<Token, Error> {
        Ok(Token::new(self.0.obtain(&Attempt::new(None)).await?.access_token))
    }
}

/// Reads a short text message of a client (RFC 6455 §5.2).
async fn message(stream: &mut TcpStream) -> io::Result<String> {
    let (_text, length) = (stream.read_u8().await?, stream.read_u8().await? & 0x7f);
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await?;
    let mut text = vec![0; length.into()];
    stream.read_exact(&mut text).await?;
    text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    String::from_utf8(text).map_err(io::Error::other)
}

/// All are lost and come back under a budget of so many at once. A login is answered when so many have been made: fewer would wait for
/// ever. How many were under way at most.
async fn storm(at_once: usize) -> usize {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let counted = Arc::clone(&seen);
    let endpoint = Script::answering(move |_| {
        let mut seen = counted.lock().unwrap();
        seen.issued += 1;
        seen.under_way += 1;
        seen.most = seen.most.max(seen.under_way);
        Answer::token(&format!("token-{}", seen.issued), 600)
    });
    let endpoint = endpoint.await.unwrap();
    let (dropping, logins) = (watch::Sender::new(()), watch::Sender::new(0));
    let (counted, dropped, counting) = (Arc::clone(&seen), dropping.clone(), logins.clone());
    let together = Arc::new(Barrier::new(at_once));
    let server = RawServer::serve(move |mut stream, _| {
        let (seen, mut dropped) = (Arc::clone(&counted), dropped.subscribe());
        let (together, logins) = (Arc::clone(&together), counting.clone());
        async move {
            accept(&mut stream).await?;
            let login = message(&mut stream).await?;
            together.wait().await;
            let is_new = {
                let mut seen = seen.lock().unwrap();
                seen.under_way -= 1;
                seen.presented.insert(login)
            };
            let status = if is_new { "ok" } else { "error" };
            let answer = format!(r#"{{"type":"auth","status":"{status}"}}"#);
            let frame = [&[0x81, answer.len() as u8][..], answer.as_bytes()].concat();
            stream.write_all(&frame).await?;
            logins.send_modify(|logins| *logins += usize::from(is_new));
            let _ = dropped.changed().await;
            Ok(())
        }
    });
    let server = server.await.unwrap();

    let url = format!("{}/token", endpoint.url());
    let token_endpoint = TokenEndpoint::new(&url, "client", Secret::from("secret")).unwrap();
    let grant = ClientCredentials::new(token_endpoint, Arc::new(HyperClient::plaintext()));
    let source: Arc<dyn TokenSource> = Arc::new(Endpoint(grant));
    let target = Target::new(&format!("ws://{}", server.address())).unwrap();
    let mut dialect = Dialect::genesys();
    dialect.credential_use = CredentialUse::Once;
    let (dialect, budget) = (Arc::new(dialect), ConnectBudget::new(at_once));
    let spawn = |_| {
        Session::builder(target.clone(), Arc::clone(&dialect), Arc::clone(&source))
            .with_connect_budget(budget.clone())
            .spawn()
    };
    let mut sessions: Vec<_> = (0..SESSIONS).map(spawn).collect();
    let all_have = async |count| {
        let mut logins = logins.subscribe();
        timeout(Duration::from_secs(60), logins.wait_for(|logins| *logins == count)).await.unwrap().unwrap();
    };
    all_have(SESSIONS).await;
    for session in &mut sessions {
        session.authenticated().await.unwrap();
    }
    seen.lock().unwrap().most = 0;
    dropping.send_replace(());
    all_have(2 * SESSIONS).await;
    for session in &mut sessions {
        timeout(Duration::from_secs(60), session.authenticated()).await.unwrap().unwrap();
        assert_eq!(session.state(), State::Connected);
    }
    let seen = seen.lock().unwrap();
    assert_eq!(
        (seen.issued, seen.presented.len()),
        (2 * SESSIONS, 2 * SESSIONS),
        "a token for each connection"
    );
    seen.most
}

#[tokio::test]
async fn sessions_that_are_all_lost_at_once_come_back_no_more_at_a_time_than_their_budget_allows() {
    assert_eq!(storm(8).await, 8);
    // With room for all, the same endpoint has all of them at once.
    assert_eq!(storm(SESSIONS).await, SESSIONS);
}
