//! A live session whose tokens come from the client of Ably Auth.

use auth_core::oauth::TokenResponse;
use auth_core::{AuthEvent, TokenSource};
use auth_http::exchange::HttpExchange as _;
use auth_http::wire::{TokenEndpoint, TokenForm};
use gateway::{Client, Gateway};
use realtime_auth_tests::counterparts::{Fault, with_fault};
use realtime_auth_tests::recorder::Recorder;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Session, Target};

use super::*;

/// Asks a gateway for a token, as a program's backend would.
async fn from_backend(url: &str) -> Result<TokenResponse, Error> {
    let endpoint = TokenEndpoint::new(&format!("{url}/oauth/token"), "id", Secret::from("secret")).unwrap();
    let request = endpoint.request(&TokenForm::client_credentials(), None)?;
    endpoint.read(&HyperClient::plaintext().exchange(request).await?)
}

#[tokio::test]
async fn rtn14b_a_session_that_is_refused_asks_the_callback_for_another_token_and_gets_in() {
    let config = gateway::Config::new("127.0.0.1:0".parse().unwrap());
    let config = config.with_client(Client::new("id", Secret::from("secret"), "a".parse().unwrap()));
    let gateway = Gateway::bind(with_fault(config, Fault::None)).await.unwrap().spawn();
    let (url, calls) = (gateway.http_url().to_owned(), Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let counted = Arc::clone(&calls);
    let callback = auth_http::ably::callback(move |_| {
        let (url, call) = (url.clone(), counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        async move {
            let token =
                if call == 0 { Secret::from("revoked") } else { from_backend(&url).await?.access_token };
            Ok(TokenReply::Token(token))
        }
    });
    let auth = client(AuthOptions::new().with_auth_callback(callback), "https://unused.example");
    let auth = auth.build().unwrap();
    let recorder = Recorder::default();
    let source: Arc<dyn TokenSource> = Arc::new(auth.clone());
    let mut session = Session::builder(Target::new(gateway.ws_url()).unwrap(), Dialect::genesys(), source)
        .with_observer(Arc::new(recorder.clone()))
        .spawn();
    session.authenticated().await.unwrap();
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 2);
    assert_eq!(recorder.count(|event| matches!(event, AuthEvent::Authenticated { .. })), 1);
    assert!(auth.token_details().is_some_and(|details| details.token().expose() != "revoked"));
    session.close().await.unwrap();
}
