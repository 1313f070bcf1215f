//! Upgrade requests as services want them.

mod reading;

use std::collections::BTreeMap;

use auth_core::time::{Moment, Now, Timestamp};
use serde_json::json;

use super::*;
use crate::dialect::{Captures, Fresh, Placement};

const URL: &str = "wss://api.example.com/ws";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_c";

fn placed(placement: Placement, url: &str, credential: &str) -> Result<UpgradeRequest, Unplaceable> {
    let dialect = Dialect { placement, ..Dialect::new("test") };
    let credential = Secret::from(credential);
    let now = Now { wall: Timestamp::from_millis(0), mono: Moment::ORIGIN };
    let fresh = Fresh { now, random: [0; 16] };
    let filling =
        Filling { credential: Some(&credential), captures: &Captures::default(), fresh, authenticator: None };
    dialect.upgrade(url, &filling)
}

fn header(name: &str, value: &str) -> Placement {
    Placement { headers: vec![(name.to_owned(), Template::text(value))], ..Placement::default() }
}

fn query(name: &str, value: &str) -> Placement {
    Placement { query: vec![(name.to_owned(), Template::text(value))], ..Placement::default() }
}

fn cookie(name: &str, value: &str) -> Placement {
    Placement { cookies: vec![(name.to_owned(), Template::text(value))], ..Placement::default() }
}

fn subprotocols(entries: Vec<SubprotocolEntry>) -> Placement {
    Placement { subprotocols: entries, ..Placement::default() }
}

fn name(name: &str) -> SubprotocolEntry {
    SubprotocolEntry::Name(name.to_owned())
}

fn entry(template: &str) -> SubprotocolEntry {
    SubprotocolEntry::Credential(Template::text(template))
}

fn offered(request: &UpgradeRequest) -> String {
    request.subprotocol_header().unwrap().expose().to_owned()
}

/// What a server's HTTP library knows of a request.
fn received(placement: &Placement, request: &UpgradeRequest) -> (Option<Secret>, Option<String>) {
    let mut headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.expose().to_owned()))
        .collect();
    if !request.subprotocols().is_empty() {
        headers.insert("sec-websocket-protocol".to_owned(), offered(request));
    }
    let url = request.url().expose();
    let path = url.match_indices('/').nth(2).map_or("/", |(at, _)| &url[at..]);
    placement.read(path, &|name| {
        headers.get(name.to_lowercase().as_str()).map(String::as_str).into_iter().collect()
    })
}

#[test]
fn subprotocols_are_spelled_as_each_service_wants_them() {
    for (entries, credential, expected, selected) in [
        (vec![name("optave-v1"), entry("${credential}")], JWT, format!("optave-v1, {JWT}"), "optave-v1"),
        (
            vec![name("v4.channel.k8s.io"), entry("base64url.bearer.authorization.k8s.io.${credential|base64url}")],
            "a+b/c==",
            "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.YStiL2M9PQ".to_owned(),
            "v4.channel.k8s.io",
        ),
        (
            vec![name("phoenix"), entry("base64url.bearer.phx.${credential|base64url}")],
            "tok en",
            "phoenix, base64url.bearer.phx.dG9rIGVu".to_owned(),
            "phoenix",
        ),
        (
            vec![name("realtime"), entry("openai-insecure-api-key.${credential}"), name("openai-beta.realtime-v1")],
            "sk-1",
            "realtime, openai-insecure-api-key.sk-1, openai-beta.realtime-v1".to_owned(),
            "realtime",
        ),
        (vec![name("token"), entry("${credential}")], "key1", "token, key1".to_owned(), "token"),
        (vec![name("bearer"), entry("${credential}")], JWT, format!("bearer, {JWT}"), "bearer"),
        (
            vec![
                name("aws-appsync-event-ws"),
                SubprotocolEntry::Json {
                    prefix: "header-".to_owned(),
                    form: Template::json(json!({"Authorization": "${credential}", "host": "x.appsync-api.eu-west-1.amazonaws.com"})),
                },
            ],
            "a\"b",
            // {"Authorization":"a\"b","host":"x.appsync-api.eu-west-1.amazonaws.com"}
            "aws-appsync-event-ws, header-eyJBdXRob3JpemF0aW9uIjoiYVwiYiIsImhvc3QiOiJ4LmFwcHN5bmMtYXBpLmV1LXdlc3QtMS5hbWF6b25hd3MuY29tIn0"
                .to_owned(),
            "aws-appsync-event-ws",
        ),
        (
            vec![name("actioncable-v1-json"), entry("anycable-token.${credential}")],
            JWT,
            format!("actioncable-v1-json, anycable-token.{JWT}"),
            "actioncable-v1-json",
        ),
    ] {
        let placement = subprotocols(entries);
        let request = placed(placement.clone(), URL, credential).unwrap();
        assert_eq!(offered(&request), expected);
        let (found, select) = received(&placement, &request);
        assert_eq!(found.unwrap().expose(), credential, "{expected}");
        assert_eq!(select.as_deref(), Some(selected), "{expected}");
        assert!(placement.has_credential());
    }
}

#[test]
fn an_entry_that_is_no_token_is_refused_with_the_encoding_that_helps() {
    for (template, credential) in [
        ("${credential}", "canary+b/c=="),
        ("Bearer ${credential}", "canary"),
        ("${credential}", "Bearer canary x"),
        ("${credential}", "Basic canary"),
        ("${credential}", "canary,b"),
        ("${credential}", "canaryé"),
        ("${credential|base64}", "canary1"),
    ] {
        let refused = placed(subprotocols(vec![name("p"), entry(template)]), URL, credential).unwrap_err();
        assert!(refused.to_string().contains("${credential|base64url}"), "{refused}");
        assert!(!refused.to_string().contains("canary"), "{refused}");
        let encoded = entry("${credential|base64url}");
        assert!(placed(subprotocols(vec![name("p"), encoded]), URL, credential).is_ok());
    }
    assert!(placed(subprotocols(vec![name("p"), entry("${credential}")]), URL, "a+b!#$%&'*.^_`|~").is_ok());
    for illegal in ["", "a b", "a,b", "a/b"] {
        let refused = placed(subprotocols(vec![name(illegal)]), URL, "x").unwrap_err();
        assert!(refused.to_string().contains("correct its name"), "{refused}");
    }
}

#[test]
fn two_entries_that_are_the_same_are_refused() {
    let refused = placed(subprotocols(vec![name("p"), entry("${credential}")]), URL, "p").unwrap_err();
    assert!(refused.to_string().contains("must differ"), "{refused}");
}

/// The request line of `GET ?t=x` is none (RFC 9112 §3.2.1): servers answer 400.
#[test]
fn a_query_stands_behind_a_path_even_if_the_url_has_none() {
    for (url, expected) in [
        ("ws://127.0.0.1:1", "ws://127.0.0.1:1/?t=x"),
        ("ws://127.0.0.1:1?a=/b", "ws://127.0.0.1:1/?a=/b&t=x"),
        ("wss://[::1]#f", "wss://[::1]/?t=x"),
        ("wss://example.com/", "wss://example.com/?t=x"),
        ("wss://example.com/ws?a", "wss://example.com/ws?a&t=x"),
    ] {
        let request = placed(query("t", "${credential}"), url, "x").unwrap();
        assert_eq!(request.url().expose(), expected, "{url}");
    }
    let request = placed(Placement::default(), "ws://127.0.0.1:1?a", "x").unwrap();
    assert_eq!(request.url().expose(), "ws://127.0.0.1:1/?a", "and its own");
}

#[test]
fn parameters_join_whatever_query_the_url_has() {
    for (url, expected) in [
        ("wss://a.example", "wss://a.example/?t=a%2Bb%20%26"),
        ("wss://a.example/ws", "wss://a.example/ws?t=a%2Bb%20%26"),
        ("wss://a.example/ws?", "wss://a.example/ws?t=a%2Bb%20%26"),
        ("wss://a.example/ws?v=6", "wss://a.example/ws?v=6&t=a%2Bb%20%26"),
        ("wss://a.example/ws?v=6&", "wss://a.example/ws?v=6&t=a%2Bb%20%26"),
        ("wss://a.example/ws#f?x", "wss://a.example/ws?t=a%2Bb%20%26"),
        ("wss://a.example/ws?v=6#f", "wss://a.example/ws?v=6&t=a%2Bb%20%26"),
    ] {
        let placement = query("t", "${credential}");
        let request = placed(placement.clone(), url, "a+b &").unwrap();
        assert_eq!(request.url().expose(), expected);
        assert!(Address::new(request.url().expose()).is_ok());
        let path = Address::new(request.url().expose()).unwrap();
        let (found, _) = placement.read(path.path_and_query().expose(), &|_| Vec::new());
        assert_eq!(found.unwrap().expose(), "a+b &");
    }
    let unchanged = placed(Placement::default(), "wss://a.example/ws?v=6#f", "x").unwrap();
    assert_eq!(unchanged.url().expose(), "wss://a.example/ws?v=6");
}

#[test]
fn a_bearer_of_its_own_is_placed_once() {
    for (placement, place) in [
        (header("Authorization", "Bearer ${credential}"), "Bearer x"),
        (header("Authorization", "${credential}"), "Bearer x"),
        (header("X-Api-Key", "key ${credential}"), "key x"),
    ] {
        let request = placed(placement, URL, "Bearer x").unwrap();
        assert_eq!(request.headers()[0].1.expose(), place);
    }
    let url = placed(query("Authorization", "${credential}"), URL, "bearer x").unwrap();
    assert_eq!(url.url().expose(), "wss://api.example.com/ws?Authorization=x");
    let optave =
        placed(subprotocols(vec![name("optave-v1"), entry("${credential}")]), URL, "Bearer x").unwrap();
    assert_eq!(offered(&optave), "optave-v1, x");
    assert!(
        placed(header("Authorization", "Bearer ${credential}"), URL, "Bearer ").is_err(),
        "nothing is left"
    );
}

#[test]
fn a_header_that_is_not_legal_is_refused() {
    for credential in
        ["canary\r\nX: y", "canary\nb", "canary\0", "canaryé", "canary\u{7f}", " canary", "canary "]
    {
        let refused = placed(header("X-Key", "${credential}"), URL, credential).unwrap_err();
        assert!(!refused.to_string().contains("canary"), "{refused}");
        let encoded = placed(header("X-Key", "${credential|base64url}"), URL, credential);
        assert!(encoded.is_ok(), "{credential:?}");
    }
    for illegal in ["", "a b", "a:", "a\r\nb", "é"] {
        assert!(placed(header(illegal, "x"), URL, "x").is_err(), "{illegal}");
    }
    for own in [
        "Host",
        "COOKIE",
        "Upgrade",
        "connection",
        "Sec-WebSocket-Protocol",
        "sec-websocket-key",
        "Content-Length",
    ] {
        assert!(placed(header(own, "x"), URL, "x").is_err(), "{own}");
    }
}

#[test]
fn a_placement_is_checked_before_there_is_a_credential() {
    let good = Placement {
        headers: vec![("Authorization".to_owned(), Template::text("Bearer ${credential}"))],
        query: vec![("a b".to_owned(), Template::text("${credential}"))],
        cookies: vec![("a".to_owned(), Template::text("${credential}"))],
        subprotocols: vec![name("p"), entry("${credential}"), name("q")],
        is_url: false,
    };
    assert_eq!(good.check(), Ok(()));
    let twice = |pairs: &[(String, Template)]| pairs.iter().chain(pairs).cloned().collect::<Vec<_>>();
    let upper = ("AUTHORIZATION".to_owned(), Template::text("x"));
    let json =
        |prefix: &str| SubprotocolEntry::Json { prefix: prefix.to_owned(), form: Template::json(json!({})) };
    for bad in [
        header("a b", "x"),
        header("Sec-WebSocket-Version", "x"),
        cookie("a=b", "x"),
        subprotocols(vec![name("a b")]),
        subprotocols(vec![json("a/")]),
        subprotocols(vec![name("p"), name("p")]),
        Placement { headers: vec![good.headers[0].clone(), upper], ..Placement::default() },
        Placement { query: twice(&good.query), ..Placement::default() },
        Placement { cookies: twice(&good.cookies), ..Placement::default() },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
}

#[test]
fn cookies_go_into_one_header() {
    let two = Placement {
        cookies: vec![
            ("session".to_owned(), Template::text("${credential}")),
            ("kind".to_owned(), Template::text("a")),
        ],
        ..Placement::default()
    };
    let request = placed(two.clone(), URL, "x=y").unwrap();
    assert_eq!(request.headers().len(), 1);
    assert_eq!(
        (request.headers()[0].0.as_str(), request.headers()[0].1.expose()),
        ("Cookie", "session=x=y; kind=a")
    );
    assert_eq!(received(&two, &request).0.unwrap().expose(), "x=y");
    for credential in ["a b", "a;b", "a,b", "a\"b", "a\\b", "é", "a\r\nb"] {
        assert!(placed(cookie("session", "${credential}"), URL, credential).is_err(), "{credential:?}");
        assert!(placed(cookie("session", "${credential|url}"), URL, credential).is_ok(), "{credential:?}");
    }
    assert!(placed(cookie("a b", "x"), URL, "x").is_err());
}

#[test]
fn the_credential_may_be_the_url() {
    let is_url = || Placement { is_url: true, ..Placement::default() };
    let request = placed(is_url(), URL, "wss://streaming.example.com/channels/1#x").unwrap();
    assert_eq!(request.url().expose(), "wss://streaming.example.com/channels/1");
    assert!(is_url().has_credential());
    assert_eq!(received(&is_url(), &request).0.unwrap().expose(), "/channels/1");
    assert!(placed(is_url(), URL, "").is_err());
}

#[test]
fn nothing_is_sent_in_clear_to_another_machine() {
    let is_url = || Placement { is_url: true, ..Placement::default() };
    for (url, rule) in [
        ("ws://canary.example.com/ws", "must be wss"),
        ("https://canary.example.com/ws", "absolute WebSocket URL"),
        ("canary", "absolute WebSocket URL"),
        ("wss://a.example/canary x", "absolute WebSocket URL"),
    ] {
        for refused in [
            placed(header("Authorization", "Bearer ${credential}"), url, "x"),
            placed(Placement::default(), url, "x"),
            placed(is_url(), URL, url),
        ] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(rule) && !refused.contains("canary"), "{url} {refused}");
        }
    }
    assert!(placed(header("Authorization", "Bearer ${credential}"), "ws://127.0.0.1:80/ws", "x").is_ok());
}

#[test]
fn only_a_name_that_was_offered_may_be_selected() {
    let request = placed(subprotocols(vec![name("optave-v1"), entry("${credential}")]), URL, JWT).unwrap();
    assert_eq!(request.check_selected(Some("optave-v1")), Ok(()));
    assert_eq!(request.check_selected(None), Err(InvalidSelection::Nothing));
    assert_eq!(request.check_selected(Some(JWT)), Err(InvalidSelection::Credential));
    for other in ["", "Optave-v1", "graphql-ws", "optave-v1, x"] {
        assert_eq!(request.check_selected(Some(other)), Err(InvalidSelection::NotOffered), "{other}");
    }
    let without = placed(Placement::default(), URL, JWT).unwrap();
    assert_eq!(without.check_selected(None), Ok(()));
    assert_eq!(without.subprotocol_header(), None);
    assert_eq!(without.check_selected(Some("optave-v1")), Err(InvalidSelection::NotOffered));
}

#[test]
fn nothing_that_is_printed_shows_the_credential() {
    let everywhere = Placement {
        headers: vec![("Authorization".to_owned(), Template::text("Bearer ${credential}"))],
        query: vec![("token".to_owned(), Template::text("${credential}"))],
        cookies: vec![("token".to_owned(), Template::text("${credential}"))],
        subprotocols: vec![name("p"), entry("${credential}")],
        is_url: false,
    };
    let request = placed(everywhere, URL, "canary").unwrap();
    let shown = format!("{request:?} {request:#?} {:?}", request.check_selected(Some("canary")));
    assert!(!shown.contains("canary") && shown.contains("Authorization"), "{shown}");
}
