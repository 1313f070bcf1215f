//! What the document says of connections: `openConnection`, its event `close`, and that each takes a token of its own.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use auth_core::backoff::Backoff;
use auth_core::{AuthEvent, ErrorKind as TokenErrorKind, Secret, Token};
use auth_http::optave::CredentialPlacement;
use gateway::Running;
use providers::optave::{AuthTransport, Builder, Client};
use realtime_auth_tests::recorder::Recorder;
use ws_session::ErrorKind;
use ws_session::driver::tokio::{Session, SessionEvent};
use ws_session::machine::{Config, State};

use super::wire::Wire;
use super::{SECRET, serve, server};

const BOTH: [AuthTransport; 2] = [AuthTransport::Subprotocol, AuthTransport::Query];

fn client(gateway: &Running, wire: &Wire) -> Builder {
    Client::builder()
        .with_websocket_url(wire.url())
        .with_authentication_url(format!("{}/auth/oauth2", gateway.http_url()))
        .with_client_id("cid")
        .with_client_secret(SECRET)
}

async fn echoes(session: &mut Session) {
    session.send("hello").await.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("hello"));
}

/// Breaks every connection that the gateway has.
fn disconnect(gateway: &Running) {
    for session in gateway.sessions().live() {
        let _ = gateway.sessions().disconnect(&session.session_id);
    }
}

/// Each token was sent once.
fn each_once(tokens: &[String]) {
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), tokens.len(), "a token was sent again");
}

#[tokio::test]
async fn authenticate_and_open_connection_connect_by_either_transport() {
    let gateway = serve(server()).await;
    for (transport, placement) in [
        (AuthTransport::Subprotocol, CredentialPlacement::Query),
        (AuthTransport::Query, CredentialPlacement::Basic),
    ] {
        let wire = Wire::to(&gateway).await;
        let builder = client(&gateway, &wire).with_credential_placement(placement);
        let client = builder.with_auth_transport(transport).build().unwrap();
        let token = client.authenticate().await.unwrap();
        let mut session = client.open_connection(token.clone()).await.unwrap();
        assert_eq!(session.state(), State::Connected);
        echoes(&mut session).await;
        let [head] = &wire.heads()[..] else { panic!("one connection") };
        let in_url = head.lines().next().unwrap().contains(token.secret().expose());
        assert_eq!(in_url, transport == AuthTransport::Query, "{transport:?}");
        assert_eq!(wire.tokens(), [token.secret().expose()], "exactly that token");
        session.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_query_of_the_websocket_url_is_kept() {
    let gateway = serve(server()).await;
    for transport in BOTH {
        let wire = Wire::to(&gateway).await;
        let url = format!("{}?OptaveTraceChatSessionId=x", wire.url());
        let client = client(&gateway, &wire).with_websocket_url(url).with_auth_transport(transport);
        let client = client.build().unwrap();
        client.open_connection(client.authenticate().await.unwrap()).await.unwrap();
        assert!(wire.heads()[0].starts_with("GET /?OptaveTraceChatSessionId=x"), "{transport:?}");
    }
}

#[tokio::test]
async fn without_a_token_of_ones_own_the_token_provider_is_asked_for_each_connection() {
    let gateway = serve(server()).await;
    let wire = Wire::to(&gateway).await;
    let backend = auth_http::optave::Client::builder().with_ticket_endpoint(gateway.http_url());
    let backend = Arc::new(backend.build().unwrap());
    let provider = move || {
        let backend = Arc::clone(&backend);
        async move { Ok(Secret::from(format!("Bearer {}", backend.authenticate().await?.secret().expose()))) }
    };
    let client = Client::builder().with_websocket_url(wire.url()).with_token_provider(provider);
    let client = client.build().unwrap();
    for _ in 0..2 {
        echoes(&mut client.connect().await.unwrap()).await;
    }
    each_once(&wire.tokens());
    assert_eq!(wire.tokens().len(), 2);
}

#[tokio::test]
async fn reusing_a_token_is_an_authentication_error_of_the_server() {
    let gateway = serve(server()).await;
    for transport in BOTH {
        let wire = Wire::to(&gateway).await;
        let build = || client(&gateway, &wire).with_auth_transport(transport).build().unwrap();
        let token = build().authenticate().await.unwrap();
        let mut session = build().open_connection(token.clone()).await.unwrap();
        echoes(&mut session).await;
        // Another client does not know that it was used.
        let refused = build().open_connection(token.clone()).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::AuthenticationRefused, Some(401)));
        assert!(refused.to_string().contains("open another, with a fresh credential"), "{refused}");
        assert_eq!(wire.tokens(), [token.secret().expose(), token.secret().expose()], "it was asked once");
        echoes(&mut session).await;
    }
}

#[tokio::test]
async fn a_used_token_is_never_sent_again() {
    let gateway = serve(server()).await;
    for transport in BOTH {
        let wire = Wire::to(&gateway).await;
        let client = client(&gateway, &wire).with_auth_transport(transport).build().unwrap();
        let token = client.authenticate().await.unwrap();
        let with_scheme = Secret::from(format!("Bearer {}", token.secret().expose()));
        let session = client.open_connection(token.clone()).await.unwrap();
        for again in [token.clone(), Token::new(with_scheme)] {
            let refused = client.clone().open_connection(again).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Token);
            assert_eq!(refused.token_error().unwrap().kind(), TokenErrorKind::InvalidToken);
            assert!(refused.to_string().contains("authenticate again"), "{refused}");
        }
        session.close().await.unwrap();
        client.open_connection(token).await.unwrap_err();
        assert_eq!(wire.heads().len(), 1, "nothing was opened for it");
        // The control: a fresh one is.
        client.open_connection(client.authenticate().await.unwrap()).await.unwrap();
        each_once(&wire.tokens());
    }
}

#[tokio::test]
async fn a_token_whose_connection_came_to_nothing_is_used_too() {
    let gateway = serve(server()).await;
    let wire = Wire::to(&gateway).await;
    let client = client(&gateway, &wire).build().unwrap();
    let token = client.authenticate().await.unwrap();
    wire.lose_answers(1);
    let lost = client.open_connection(token.clone()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::ConnectionLost, "{lost}");
    assert_eq!(client.open_connection(token).await.unwrap_err().kind(), ErrorKind::Token);
    assert_eq!(wire.heads().len(), 1);
}

/// The document's own loop: `client.on('close', reconnect)`.
#[tokio::test]
async fn on_close_a_fresh_token_opens_the_next_connection() {
    let gateway = serve(server()).await;
    for transport in BOTH {
        let wire = Wire::to(&gateway).await;
        let client = client(&gateway, &wire).with_auth_transport(transport).build().unwrap();
        for connection in 1..=4 {
            let token = client.authenticate().await.unwrap();
            let mut session = client.open_connection(token).await.unwrap();
            echoes(&mut session).await;
            let mut events = session.events();
            assert!(matches!(events.next().await, Some(SessionEvent::State { state: State::Connected, .. })));
            match connection % 2 {
                0 => disconnect(&gateway),
                _ => assert!(gateway.sessions().revoke(&gateway.sessions().live()[0].session_id)),
            }
            assert!(session.next().await.is_none(), "closed, and not opened again");
            let Some(SessionEvent::Closed { code, retry_in: None, .. }) = events.next().await else {
                panic!("closed for good")
            };
            let error = session.error().unwrap();
            assert_eq!(error.code(), code);
            match connection % 2 {
                0 => assert_eq!((error.kind(), code), (ErrorKind::ConnectionLost, None)),
                _ => assert_eq!((error.kind(), code), (ErrorKind::AuthenticationRefused, Some(4401))),
            }
            assert_eq!((session.state(), wire.heads().len()), (State::Failed, connection));
        }
        each_once(&wire.tokens());
    }
}

#[tokio::test]
async fn a_session_that_keeps_itself_connected_sends_each_token_once() {
    let gateway = serve(server()).await;
    for transport in BOTH {
        let wire = Wire::to(&gateway).await;
        let recorder = Recorder::default();
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(20));
        let client = client(&gateway, &wire)
            .with_auth_transport(transport)
            .with_session_config(Config::new().with_backoff(backoff));
        let client = client.with_observer(Arc::new(recorder.clone())).build().unwrap();
        let mut session = client.connect().await.unwrap();
        for reconnect in 1..=5 {
            echoes(&mut session).await;
            // Every other token was sent, and nobody knows what became of it.
            wire.lose_answers(reconnect % 2);
            disconnect(&gateway);
            let authenticated = |event: &AuthEvent| matches!(event, AuthEvent::Authenticated { .. });
            recorder.wait_for(reconnect + 1, authenticated).await;
        }
        echoes(&mut session).await;
        session.renew_now().await.unwrap();
        echoes(&mut session).await;
        let tokens = wire.tokens();
        assert_eq!(tokens.len(), 1 + 5 + 3 + 1, "reconnects, those whose answer was lost, and the renewal");
        each_once(&tokens);
        let issued = recorder.count(|event| matches!(event, AuthEvent::TokenIssued { .. }));
        assert_eq!(issued, tokens.len(), "who observes the client is told of its tokens too");
        session.close().await.unwrap();
    }
}

#[tokio::test]
async fn wrong_credentials_end_in_an_error_that_says_so() {
    let gateway = serve(server()).await;
    let wire = Wire::to(&gateway).await;
    let client = client(&gateway, &wire).with_client_secret("wrong").build().unwrap();
    assert_eq!(client.authenticate().await.unwrap_err().kind(), TokenErrorKind::InvalidClient);
    let failed = client.connect().await.unwrap_err();
    assert_eq!(failed.token_error().unwrap().kind(), TokenErrorKind::InvalidClient);
    assert!(failed.source().is_some());
    assert_eq!(wire.heads().len(), 0, "nothing was opened without a token");
}

#[tokio::test]
async fn a_client_that_is_shut_down_opens_no_other_connection() {
    let gateway = serve(server()).await;
    let wire = Wire::to(&gateway).await;
    let client = client(&gateway, &wire).with_connection_timeout(Duration::from_secs(20)).build().unwrap();
    let token = client.authenticate().await.unwrap();
    client.shut_down().await;
    let failed = client.connect().await.unwrap_err();
    assert_eq!(failed.token_error().unwrap().kind(), TokenErrorKind::Closed);
    client.open_connection(token).await.unwrap();
    assert_eq!(wire.heads().len(), 1, "that of the token that there was");
}
