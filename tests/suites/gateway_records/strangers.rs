//! Strangers can't flood the records, and every kind of event of a server is in some story.

use std::collections::BTreeSet;

use auth_http::endpoint::optave::TokenServer;
use realtime_auth_tests::raw_socket::RawSocket;

use super::*;

#[tokio::test]
async fn a_flood_of_refusals_is_summed_up_and_no_accepted_event_is_lost() {
    let told = Told::plain().await;
    let wrong = "grant_type=client_credentials&client_id=id&client_secret=wrong";
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    for number in 0..500 {
        assert_eq!(told.ask("POST /oauth/token", &form, wrong).await.0, 401);
        if number % 50 == 0 {
            told.token().await;
        }
    }
    let recorder = told.recorder.clone();
    told.end().await;
    let (mut minted, mut denied, mut records) = (0, 0, 0);
    for event in recorder.events() {
        match event {
            AuthEvent::TokenMinted { .. } => minted += 1,
            AuthEvent::TokenDenied { repeated, .. } => {
                (denied, records) = (denied + 1 + repeated, records + 1)
            }
            event => panic!("{event:?}"),
        }
    }
    assert_eq!((minted, denied), (10, 500));
    assert!(records < 500, "{records}");
}

/// The names of all events that say in their description that a server tells of them.
fn of_servers() -> BTreeSet<String> {
    let source = include_str!("../../../crates/auth-core/src/observe/event.rs");
    let mut names = BTreeSet::new();
    let mut described = String::new();
    for line in source.lines().take_while(|line| !line.starts_with("#[cfg(test)]")) {
        if let Some(text) = line.strip_prefix("    /// ") {
            described += text;
        } else if let Some(name) = line.strip_prefix("    ").and_then(|line| line.strip_suffix(" {")) {
            if ["A server ", "of a server", "at a server"].iter().any(|words| described.contains(words)) {
                let snake = name.chars().flat_map(|letter| {
                    let separator = letter.is_uppercase().then_some('_');
                    separator.into_iter().chain(letter.to_lowercase())
                });
                names.insert(snake.collect::<String>().trim_start_matches('_').to_owned());
            }
            described.clear();
        }
    }
    // It is its client that tells of that one.
    assert!(names.remove("token_rejected"));
    names
}

#[tokio::test]
async fn every_event_of_a_server_is_in_some_story() {
    let optave = TokenServer::hs256([9; 32]).with_client("cid", Secret::from("canary-of-optave"));
    let told = Told::with(|config| config.with_optave(optave)).await;
    let body = "grant_type=client_credentials&client_id=cid&client_secret=canary-of-optave";
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let token = member(&told.ask("POST /auth/oauth2/token", &form, body).await.1, "access_token");
    let offered = format!("Sec-WebSocket-Protocol: optave-v1,{token}\r\n");
    let opened = RawSocket::open_with(&told.ws("/"), &offered).await.unwrap();
    assert!(RawSocket::open_with(&told.ws("/"), &offered).await.is_err());
    assert!(RawSocket::open_with(&told.ws("/"), "Sec-WebSocket-Protocol: optave-v1,x\r\n").await.is_err());
    assert_eq!(told.grant("grant_type=password").await.0, 400);
    let mut socket = RawSocket::open(&told.ws("/ws")).await.unwrap();
    for _ in 0..2 {
        socket.text(&format!(r#"{{"type":"auth","token":"{}"}}"#, told.token().await)).await.unwrap();
        socket.frame().await.unwrap();
    }
    for session in told.gateway.sessions().live() {
        assert!(told.gateway.sessions().revoke(&session.session_id));
    }
    drop((opened, socket));
    let recorder = told.recorder.clone();
    told.end().await;
    let emitted: BTreeSet<_> = recorder.events().iter().map(|event| event.name().to_owned()).collect();
    assert_eq!(emitted, of_servers());
    assert_eq!(emitted.len(), 9, "the reader of the source reads something: {emitted:?}");
}
