//! Tokens that open one connection each: one is told as consumed, and all others as replays.

use auth_http::endpoint::optave::{Browsers, TokenServer};
use realtime_auth_tests::raw_socket::RawSocket;
use tokio::task::JoinSet;

use super::*;

async fn served() -> Told {
    let server = TokenServer::hs256([9; 32])
        .with_client("cid", Secret::from("canary-of-optave"))
        .with_browsers(Browsers::new());
    Told::with(|config| config.with_optave(server)).await
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[tokio::test]
async fn of_64_sockets_that_race_for_one_token_one_is_told_to_consume_it_and_63_as_replays() {
    let told = served().await;
    let body = "grant_type=client_credentials&client_id=cid&client_secret=canary-of-optave";
    let token = member(&told.ask("POST /auth/oauth2/token", &[FORM], body).await.1, "access_token");
    let mut sockets = JoinSet::new();
    for _ in 0..64 {
        let (url, offered) = (told.ws("/"), format!("Sec-WebSocket-Protocol: optave-v1, {token}\r\n"));
        sockets.spawn(async move { RawSocket::open_with(&url, &offered).await });
    }
    let opened = sockets.join_all().await;
    assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1);
    let mut story = told.story(1 + 2 + 63).await;
    assert_eq!(story.remove(0), "token_minted client_credentials cid");
    story.sort();
    assert!(
        story[0].starts_with("client_authenticated ") && story[0].ends_with(" optave cid"),
        "{}",
        story[0]
    );
    assert_eq!(story[1..64], vec!["replay_rejected token".to_owned(); 63]);
    assert_eq!(story[64..], ["token_consumed cid"]);
    for event in told.recorder.events() {
        let event = parsed(&event);
        assert_eq!(event["token"], print(&token), "{event}");
        assert!(event["repeated"].is_null() || event["repeated"] == 0);
    }
    drop(opened);
    assert_eq!(told.end().await.len(), 1 + 2 + 63 + 1, "and the one that was let in is gone");
}

#[tokio::test]
async fn what_pages_are_handed_is_told_and_what_they_are_refused() {
    let told = served().await;
    let (status, reply) = told.ask("POST /api/optave/ws-ticket", &[], "").await;
    assert_eq!(status, 200);
    let foreign = ["Origin: http://evil.example"];
    assert_eq!(told.ask("POST /api/optave/ws-ticket", &foreign, "").await.0, 403);
    assert_eq!(told.ask("GET /api/optave/ws-ticket", &[], "").await.0, 405);
    let wrong = "grant_type=client_credentials&client_id=cid&client_secret=wrong";
    assert_eq!(told.ask("POST /auth/oauth2/token", &[FORM], wrong).await.0, 401);
    assert_eq!(
        told.story(4).await,
        [
            "token_minted optave_ticket browser",
            "token_denied optave_ticket foreign_origin",
            "token_denied optave_ticket method_not_allowed",
            "token_denied client_credentials invalid_client cid",
        ]
    );
    assert_eq!(parsed(&told.recorder.events()[0])["token"], print(&member(&reply, "token")));
}

#[tokio::test]
async fn a_secret_in_the_place_of_the_client_is_in_no_record() {
    let told = served().await;
    for swapped in
        ["POST /auth/oauth2/token?client_id=canary-of-optave&client_secret=cid", "POST /auth/oauth2/token"]
    {
        let in_body =
            if swapped.contains('?') { "" } else { "&client_id=canary-of-optave&client_secret=cid" };
        let body = format!("grant_type=client_credentials{in_body}");
        assert_eq!(told.ask(swapped, &[FORM], &body).await.0, 401);
    }
    assert_eq!(told.story(2).await, ["token_denied client_credentials invalid_client"; 2]);
}
