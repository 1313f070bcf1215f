//! What strangers may not do at Ably's paths, and how long they may take over it.

use gateway::RateLimit;

use super::*;

#[tokio::test]
async fn without_a_key_none_of_the_paths_is_served() {
    let gateway = serve(Config::new("127.0.0.1:0".parse().unwrap())).await;
    for line in ["GET /time", "GET /channels/a/messages", "POST /keys/a.b/requestToken"] {
        let reply = send(&gateway, line, &[], "").await;
        assert_eq!((reply.status, reply.body.as_str()), (404, "Not Found"), "{line}");
    }
}

#[tokio::test]
async fn what_is_not_served_is_told_in_the_systems_own_shape() {
    let gateway = serve(config()).await;
    assert_eq!(send(&gateway, "GET /time", &[], "").await.status, 200);
    for (line, expected) in [
        ("GET /keys/appid1.keyid1", (404, 40_400)),
        ("GET /channels/a/presence", (404, 40_400)),
        ("POST /time", (405, 40_500)),
        ("GET /keys/appid1.keyid1/requestToken", (405, 40_500)),
        ("DELETE /channels/chat:a/messages", (405, 40_500)),
    ] {
        let reply = send(&gateway, line, &[], "").await;
        assert_eq!(reply.error(), expected, "{line}");
        assert_eq!(reply.head.contains("allow: "), expected.0 == 405, "{line}");
        assert!(
            reply.head.contains("connection: close\r\n")
                && reply.head.contains("cache-control: no-store\r\n")
        );
    }
}

#[tokio::test]
async fn another_format_is_refused_whatever_it_holds() {
    let gateway = serve(config()).await;
    let body = signed(&TokenParams::new());
    let path = "POST /keys/appid1.keyid1/requestToken";
    for headers in [
        &["Content-Type: application/x-msgpack"][..],
        &["Content-Type: text/plain"],
        &[],
        &[JSON, "Accept: application/x-msgpack"],
    ] {
        assert_eq!(send(&gateway, path, headers, &body).await.error(), (400, 40_013), "{headers:?}");
    }
    let headers =
        ["Content-Type: application/json; charset=utf-8", "Accept: application/x-msgpack,application/json"];
    assert_eq!(
        send(&gateway, path, &headers, &body).await.status,
        201,
        "the nonce was not used up by a refusal"
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_or_does_not_come_is_not_waited_for() {
    let gateway = serve(config()).await;
    let path = "POST /keys/appid1.keyid1/requestToken";
    let large = " ".repeat(64 * 1_024 + 1);
    assert_eq!(send(&gateway, path, &[JSON], &large).await.error(), (413, 40_009));
    let head = format!("{path} HTTP/1.1\r\nHost: g\r\n{JSON}\r\n");
    let stalled = raw(&gateway, format!("{head}Content-Length: 10\r\n\r\n{{").as_bytes()).await;
    assert_eq!(stalled.error(), (408, 50_003));
    let malformed = raw(&gateway, format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n").as_bytes()).await;
    assert_eq!(malformed.error(), (400, 40_000));
    let long_head = format!("GET /time HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(raw(&gateway, long_head.as_bytes()).await.status, 431);
}

#[tokio::test]
async fn one_key_is_rate_limited_and_strangers_do_not_count() {
    let limit = RateLimit::new(Duration::from_secs(3_600), 2);
    let gateway = serve(config().with_ably_rate_limit(limit)).await;
    for _ in 0..5 {
        let forged = signed(&TokenParams::new()).replace("\"mac\":\"", "\"mac\":\"AA");
        assert_eq!(request_token(&gateway, &forged).await.error(), (401, 40_101));
    }
    for _ in 0..2 {
        assert_eq!(request_token(&gateway, &signed(&TokenParams::new())).await.status, 201);
    }
    let refused = request_token(&gateway, &signed(&TokenParams::new())).await;
    assert_eq!(refused.error(), (429, 42_910));
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    let basic = "Authorization: Basic YXBwaWQxLmtleWlkMjpSZXZvY2FibGVSZXZvY2FibGU="; // the other key
    let other = send(&gateway, "POST /keys/appid1.keyid2/requestToken", &[JSON, basic], "{}").await;
    assert_eq!(other.status, 201, "{other:?}");
}
