//! The gateway behind a network that harms what passes: a session is served whole, or again.

use gateway::{Client, Gateway, Running};
use realtime_auth_tests::counterparts;
use realtime_auth_tests::fault_proxy::{Fault, FaultProxy, Harm};

use super::*;

async fn gateway() -> Running {
    let config = gateway::Config::new("127.0.0.1:0".parse().unwrap());
    let client = Client::new("id", Secret::from("secret"), "a".parse().unwrap());
    let config = counterparts::with_fault(config.with_client(client), counterparts::Fault::None);
    Gateway::bind(config).await.unwrap().spawn()
}

/// A session over a proxy, with a token of the gateway's.
async fn session(gateway: &Running, proxy: &FaultProxy) -> Session {
    let issuer = providers::genesys::Client::builder(gateway.http_url(), "id", "secret").build().unwrap();
    let token = issuer.valid_token().await.unwrap();
    let source = auth_core::source::FixedToken::new(Token::new(token.secret().clone()));
    let path = gateway.ws_url().splitn(4, '/').nth(3).unwrap_or_default();
    let url = format!("ws://{}/{path}", proxy.address());
    Session::builder(Target::new(&url).unwrap(), Dialect::genesys(), Arc::new(source))
        .with_config(config())
        .spawn()
}

async fn before(gateway: &Running, harm: impl Fn(usize) -> Harm + Send + Sync + 'static) -> FaultProxy {
    let address = gateway.http_url().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    FaultProxy::to(address, harm).await.unwrap()
}

#[tokio::test]
async fn the_gateway_serves_a_whole_session_in_single_bytes() {
    let gateway = gateway().await;
    let each = Fault::Trickle(Duration::ZERO);
    let proxy = before(&gateway, move |_| Harm { up: each, down: each }).await;
    let mut session = session(&gateway, &proxy).await;
    timeout(PATIENCE, session.authenticated()).await.expect("the session is not authenticated").unwrap();
    for length in [0, 1, 125, 126, 60_000] {
        let text = "x".repeat(length);
        let sender = session.sender();
        let (sent, heard) = tokio::join!(sender.send(text.clone()), async {
            timeout(PATIENCE, session.next()).await.expect("nothing came back")
        });
        sent.unwrap();
        assert_eq!(heard.unwrap().as_text(), Some(text.as_str()));
    }
    assert_eq!(proxy.connections(), 1);
    timeout(PATIENCE, session.close()).await.expect("the session does not close").unwrap();
    timeout(PATIENCE, proxy.until_idle()).await.expect("a socket is left");
    gateway.stop().await;
}

/// Both ends learn of it, and the gateway keeps nobody.
#[tokio::test]
async fn the_gateway_forgets_whoever_is_reset_and_serves_them_again() {
    let gateway = gateway().await;
    for at in (0..900).step_by(37) {
        for harm in [
            Harm { up: Fault::Reset(at), ..Harm::default() },
            Harm { down: Fault::Reset(at), ..Harm::default() },
        ] {
            let proxy =
                before(&gateway, move |number| if number == 1 { harm } else { Harm::default() }).await;
            let mut session = session(&gateway, &proxy).await;
            timeout(PATIENCE, session.authenticated()).await.expect("it is not authenticated").unwrap();
            // As much as it takes for the fault to strike, if it has not yet.
            let begun = std::time::Instant::now();
            while proxy.connections() < 2 {
                assert!(begun.elapsed() < PATIENCE, "the fault does not strike: {harm:?}");
                let _ = session.send("x".repeat(100)).await;
                let _ = timeout(Duration::from_millis(20), session.next()).await;
            }
            timeout(PATIENCE, session.authenticated()).await.expect("it is not authenticated").unwrap();
            timeout(PATIENCE, session.close()).await.expect("the session does not close").unwrap();
            timeout(PATIENCE, proxy.until_idle()).await.expect("a socket is left");
        }
    }
    until("nobody is kept", || gateway.sessions().live().is_empty()).await;
    gateway.stop().await;
}
