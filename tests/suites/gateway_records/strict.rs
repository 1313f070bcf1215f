//! What can't be recorded does not happen: no record, no token; and with one, it does.

use auth_core::ably::ApiKey;
use auth_http::endpoint::optave::TokenServer;
use gateway::ServedKey;
use realtime_auth_tests::raw_socket::RawSocket;
use serde_json::json;

use super::*;

const KEY: &str = "appid1.keyid1:canary-of-the-key";
const JSON: &str = "Content-Type: application/json";

async fn served() -> Told {
    let key = ServedKey::new(ApiKey::parse(KEY).unwrap()).with_revocable_tokens();
    let optave = TokenServer::hs256([9; 32]).with_client("cid", Secret::from("canary-of-optave"));
    Told::with(|config| config.with_ably_key(key).with_optave(optave).with_refresh_grace(Duration::ZERO))
        .await
}

fn unavailable((status, reply): (u16, String)) {
    assert_eq!(status, 503, "{reply}");
    assert!(reply.contains("\r\nretry-after: "), "{reply}");
    let body = reply.split_once("\r\n\r\n").unwrap().1;
    assert!(!body.contains("token\":") && !body.contains("eyJ"), "{body}");
}

const OPTAVE: &str = "grant_type=client_credentials&client_id=cid&client_secret=canary-of-optave";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[tokio::test]
async fn a_token_that_can_not_be_recorded_is_not_handed_out_by_any_issuer() {
    let told = served().await;
    let basic = format!("Authorization: Basic {}", ApiKey::parse(KEY).unwrap().basic_credentials().expose());
    told.recorder.refuse(&["token_minted"]);
    for works in [false, true] {
        let replies = [
            told.grant("grant_type=client_credentials").await,
            told.ask("POST /auth/oauth2/token", &[FORM], OPTAVE).await,
            told.ask("POST /keys/appid1.keyid1/requestToken", &[JSON, &basic], "{}").await,
        ];
        for reply in replies {
            if works {
                assert!([200, 201].contains(&reply.0), "the control: {}", reply.1);
            } else {
                unavailable(reply);
            }
        }
        told.recorder.refuse(&[]);
    }
    assert_eq!(told.story(3).await.len(), 3, "only those that left");
}

#[tokio::test]
async fn a_refresh_token_is_not_burnt_by_an_answer_that_never_left() {
    let told = served().await;
    told.recorder.refuse(&["token_minted"]);
    for _ in 0..3 {
        unavailable(told.grant("grant_type=refresh_token&refresh_token=canary-r1").await);
    }
    told.recorder.refuse(&[]);
    let (status, reply) = told.grant("grant_type=refresh_token&refresh_token=canary-r1").await;
    assert_eq!(status, 200, "{reply}");
    let next = format!("grant_type=refresh_token&refresh_token={}", member(&reply, "refresh_token"));
    assert_eq!(told.grant(&next).await.0, 200, "its successor serves");
    assert_eq!(told.grant("grant_type=refresh_token&refresh_token=canary-r1").await.0, 400, "it is spent");
    assert_eq!(told.gateway.refreshes().revoked(), 1);
}

#[tokio::test]
async fn a_token_whose_consumption_can_not_be_recorded_opens_nothing_is_spent_and_recorded_later() {
    let told = served().await;
    let tokens = async |refused: &[&'static str]| {
        let token = member(&told.ask("POST /auth/oauth2/token", &[FORM], OPTAVE).await.1, "access_token");
        told.recorder.refuse(refused);
        let offered = format!("Sec-WebSocket-Protocol: optave-v1,{token}\r\n");
        let first = RawSocket::open_with(&told.ws("/"), &offered).await.map(drop);
        told.recorder.refuse(&[]);
        let second = RawSocket::open_with(&told.ws("/"), &offered).await.map(drop);
        (first, second.unwrap_err().to_string())
    };
    for refused in ["token_consumed", "client_authenticated"] {
        let (first, second) = tokens(&[refused]).await;
        let first = first.unwrap_err().to_string();
        assert!(first.starts_with("HTTP/1.1 503 ") && first.contains("\r\nretry-after: 1\r\n"), "{first}");
        assert!(second.starts_with("HTTP/1.1 401 "), "{second}");
    }
    let (first, _) = tokens(&[]).await;
    first.expect("the control");
    let story = told.end().await;
    let consumed = story.iter().filter(|event| *event == "token_consumed cid").count();
    assert_eq!(consumed, 3, "the one that was refused its record too: {story:#?}");
}

#[tokio::test]
async fn a_connection_that_can_not_be_recorded_is_closed_with_1013_before_it_is_let_in() {
    let told = served().await;
    let token = told.token().await;
    let login = format!(r#"{{"type":"auth","token":"{token}"}}"#);
    told.recorder.refuse(&["client_authenticated"]);
    let mut socket = RawSocket::open(&told.ws("/ws")).await.unwrap();
    socket.text(&login).await.unwrap();
    let (kind, first) = socket.frame().await.unwrap();
    assert_eq!((kind, first.first_chunk()), (8, Some(&1013_u16.to_be_bytes())), "nothing before the close");
    let mut ably = RawSocket::open(&told.ws(&format!("/?v=6&key={KEY}"))).await.unwrap();
    let (kind, first) = ably.frame().await.unwrap();
    assert_eq!((kind, first.first_chunk()), (8, Some(&1013_u16.to_be_bytes())));
    assert_eq!(
        told.story(3).await,
        [
            "token_minted client_credentials id",
            "client_rejected 1 genesys this can't be recorded at the moment 1013",
            "client_rejected 2 ably this can't be recorded at the moment 1013",
        ]
    );
    told.recorder.refuse(&[]);
    let mut socket = RawSocket::open(&told.ws("/ws")).await.unwrap();
    socket.text(&login).await.unwrap();
    assert!(String::from_utf8(socket.frame().await.unwrap().1).unwrap().contains(r#""status":"ok""#));
    let mut ably = RawSocket::open(&told.ws(&format!("/?v=6&key={KEY}"))).await.unwrap();
    assert!(String::from_utf8(ably.frame().await.unwrap().1).unwrap().contains(r#""action":4"#));
    // And a live one that would be renewed is not, and no answer says so.
    told.recorder.refuse(&["client_reauthenticated"]);
    let basic = format!("Authorization: Basic {}", ApiKey::parse(KEY).unwrap().basic_credentials().expose());
    let (_, reply) =
        told.ask("POST /keys/appid1.keyid1/requestToken", &[JSON, &basic], r#"{"clientId":"*"}"#).await;
    let auth = json!({ "action": 17, "auth": { "accessToken": member(&reply, "token") } });
    ably.text(&auth.to_string()).await.unwrap();
    assert_eq!(ably.close_code(SOON).await, Some(1013));
}

#[tokio::test]
async fn a_revocation_that_can_not_be_recorded_takes_effect_is_answered_503_and_recorded_later() {
    let told = served().await;
    let basic = format!("Authorization: Basic {}", ApiKey::parse(KEY).unwrap().basic_credentials().expose());
    let (_, reply) =
        told.ask("POST /keys/appid1.keyid1/requestToken", &[JSON, &basic], r#"{"clientId":"alice"}"#).await;
    let token = member(&reply, "token");
    let mut socket = RawSocket::open(&told.ws(&format!("/?v=6&access_token={token}"))).await.unwrap();
    socket.frame().await.unwrap();
    told.recorder.refuse(&["token_revoked"]);
    let body = json!({ "targets": ["clientId:alice"] }).to_string();
    let headers = [&basic, JSON, "X-Ably-Version: 6"];
    unavailable(told.ask("POST /keys/appid1.keyid1/revokeTokens", &headers, &body).await);
    assert!(socket.close_code(SOON).await.is_some(), "it took effect");
    told.recorder.refuse(&[]);
    assert_eq!(told.ask("POST /keys/appid1.keyid1/revokeTokens", &headers, &body).await.0, 201);
    let story = told.end().await;
    let revoked = story.iter().filter(|event| *event == "token_revoked clientId:alice").count();
    assert_eq!(revoked, 2, "the one that was repeated, and the one that was owed: {story:#?}");
}
