//! What a token, a JWT or the key is good for at the gateway.

use auth_core::ably::{ClientId, mint_jwt};

use super::*;

fn alice() -> TokenParams {
    TokenParams::new().with_client_id(ClientId::new("alice").unwrap())
}

#[tokio::test]
async fn a_token_publishes_and_reads_where_its_capability_lets_it() {
    let gateway = serve(config()).await;
    let bearer = bearer(&gateway, &alice()).await;
    let publish = |channel: &'static str, body: &'static str| {
        let (gateway, bearer) = (&gateway, &bearer);
        async move { send(gateway, &format!("POST /channels/{channel}/messages"), &[bearer, JSON], body).await }
    };
    let reply = publish("chat%3Alobby", r#"[{"name":"a","data":"b","id":"x:0"},{"name":"c"}]"#).await;
    assert_eq!((reply.status, &reply.json()["messageId"]), (201, &"x:0".into()), "{reply:?}");
    assert_eq!(
        (&reply.json()["channel"], reply.json()["serials"].as_array().unwrap().len()),
        (&"chat:lobby".into(), 2)
    );
    assert_eq!(publish("chat:lobby", r#"{"name":"a","clientId":"alice"}"#).await.status, 201);

    let history = send(&gateway, "GET /channels/chat:lobby/messages?limit=5", &[&bearer], "").await;
    assert_eq!((history.status, history.body.as_str()), (200, "[]"));

    let refused = publish("news", r#"{"name":"a"}"#).await;
    assert_eq!(refused.error(), (401, 40_160));
    assert!(refused.body.contains(r#"does not allow publish on the channel \"news\""#), "{refused:?}");
    for (body, expected) in [
        (r#"{"clientId":"bob"}"#, (400, 40_012)),
        (r#"{"clientId":5}"#, (400, 40_012)),
        (r#"[{"name":"a"},{"clientId":""}]"#, (400, 40_012)),
        ("[]", (400, 40_000)),
        ("[5]", (400, 40_000)),
        ("{", (400, 40_000)),
    ] {
        assert_eq!(publish("chat:lobby", body).await.error(), expected, "{body}");
    }
    assert_eq!(publish("%3Alobby", "{}").await.error(), (400, 40_010));
}

#[tokio::test]
async fn the_key_and_a_jwt_are_good_for_the_same() {
    let gateway = serve(config()).await;
    let basic = format!("Authorization: Basic {}", key().basic_credentials().expose());
    let jwt = format!("Authorization: Bearer {}", mint_jwt(&key(), &alice(), now()).expose());
    for credential in [&basic, &jwt] {
        let history = send(&gateway, "GET /channels/chat:lobby/messages", &[credential], "").await;
        assert_eq!(history.status, 200, "{history:?}");
    }
    let as_bob = "X-Ably-ClientId: Ym9i"; // base64("bob")
    let reply = send(&gateway, "GET /channels/chat:lobby/messages", &[&basic, as_bob], "").await;
    assert_eq!(reply.status, 200);
    let reply = send(&gateway, "GET /channels/chat:lobby/messages", &[&jwt, as_bob], "").await;
    assert_eq!(reply.error(), (401, 40_102));
    let reply = send(&gateway, "GET /channels/chat:lobby/messages", &[], "").await;
    assert_eq!(reply.error(), (401, 40_101));
}

#[tokio::test]
async fn of_the_same_request_on_many_connections_one_gets_a_token() {
    let gateway = std::sync::Arc::new(serve(config()).await);
    let body = signed(&TokenParams::new());
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (gateway, body) = (std::sync::Arc::clone(&gateway), body.clone());
        sending.spawn(async move { request_token(&gateway, &body).await });
    }
    let replies = sending.join_all().await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 401 && reply.error().1 == 40_105).count(), 19);
}

#[tokio::test]
async fn a_revocation_takes_effect_at_once() {
    let gateway = serve(config()).await;
    let revocable = ApiKey::parse("appid1.keyid2:RevocableRevocable").unwrap();
    // Issued a second ago: a JWT knows whole seconds only.
    let earlier = Timestamp::from_millis(now().wall.as_millis() - 1_000);
    let jwt = mint_jwt(&revocable, &alice().with_timestamp(earlier), now());
    let bearer = format!("Authorization: Bearer {}", jwt.expose());
    let history = async || send(&gateway, "GET /channels/any/messages", &[&bearer], "").await;
    assert_eq!(history().await.status, 200);
    let basic = format!("Authorization: Basic {}", revocable.basic_credentials().expose());
    let body = r#"{"targets":["clientId:alice"]}"#;
    let headers = [&basic, JSON, "X-Ably-Version: 6"];
    let reply = send(&gateway, "POST /keys/appid1.keyid2/revokeTokens", &headers, body).await;
    assert_eq!((reply.status, &reply.json()["successCount"]), (201, &1.into()));
    assert_eq!(history().await.error(), (401, 40_141));
}
