//! Who a connection is: when it opens, and when it is asked to prove it again.

use super::*;

#[test]
fn connected_says_all_that_a_library_needs() {
    let server = Server::new();
    let mut connection = server.open(0, &format!("key={KEY}&clientId=mel&v=6"));
    let expected = json!({
        "action": 4,
        "connectionId": "me",
        "connectionDetails": {
            "clientId": "mel", "connectionKey": "me!secret", "maxMessageSize": 65_536, "maxFrameSize": 262_144,
            "maxIdleInterval": 15_000, "connectionStateTtl": 120_000, "serverId": "rtauth-gateway",
        },
    });
    assert_eq!(frames(&mut connection), [expected]);
    assert_eq!(connection.application(), Some("appid1"));
}

/// The table of the facts, 5.3: the credential, the clientId in the query, and that of the connection.
#[test]
fn the_client_id_is_what_credential_and_query_agree_on() {
    let mut server = Server::new();
    let wildcard = TokenParams::new().with_client_id(TokenClientId::Wildcard);
    let anonymous = server.token(0, 60_000, &TokenParams::new()).expose().to_owned();
    let alices = server.token(0, 60_000, &alice()).expose().to_owned();
    let anybodys = server.token(0, 60_000, &wildcard).expose().to_owned();
    for (credential, query, expected) in [
        (format!("key={KEY}"), "", Ok(json!("*"))),
        (format!("key={KEY}"), "&clientId=v", Ok(json!("v"))),
        (format!("access_token={anonymous}"), "", Ok(Value::Null)),
        (format!("access_token={anonymous}"), "&clientId=v", Err(40_102)),
        (format!("access_token={alices}"), "", Ok(json!("alice"))),
        (format!("accessToken={alices}"), "&clientId=alice", Ok(json!("alice"))),
        (format!("access_token={alices}"), "&clientId=v", Err(40_102)),
        (format!("access_token={anybodys}"), "", Ok(json!("*"))),
        (format!("access_token={anybodys}"), "&clientId=v", Ok(json!("v"))),
        (format!("access_token={anybodys}"), "&clientId=*", Err(40_012)),
    ] {
        let came = frames(&mut server.open(1, &format!("{credential}{query}")));
        match expected {
            Ok(client_id) => assert_eq!(came[0]["connectionDetails"]["clientId"], client_id, "{query}"),
            Err(code) => assert_eq!(in_short(&came), [format!("9 {code}"), "close".to_owned()], "{query}"),
        }
    }
}

#[test]
fn bad_credentials_are_told_in_an_error_without_a_channel_and_the_connection_closes() {
    let mut server = Server::new();
    let expired = server.token(0, 1_000, &TokenParams::new()).expose().to_owned();
    let revoked = server.token(0, 60_000, &alice()).expose().to_owned();
    server.revoke(10, "alice", false);
    for (query, code) in [
        ("v=6".to_owned(), 40_101),
        ("key=appid1.keyid1:wrong".to_owned(), 40_101),
        ("key=appid1.unknown:wrong".to_owned(), 40_101),
        ("key=nonsense".to_owned(), 40_101),
        ("access_token=fake".to_owned(), 40_101),
        ("access_token=appid1.unknown".to_owned(), 40_143),
        (format!("access_token={expired}"), 40_142),
        (format!("access_token={revoked}"), 40_141),
        (format!("access_token={expired}&key={KEY}"), 40_000),
    ] {
        let mut connection = server.open(2_000, &query);
        let came = frames(&mut connection);
        assert_eq!(in_short(&came), [format!("9 {code}"), "close".to_owned()], "{query}");
        assert_eq!(came[0]["error"]["statusCode"], if code == 40_000 { 400 } else { 401 }, "{query}");
        assert!(came[0].get("channel").is_none(), "a channel, even null, would hang the libraries");
        assert_eq!(connection.application(), None);
        // It is deaf from here on.
        assert_eq!(
            server.say(&mut connection, 2_001, &json!({ "action": 10, "channel": "chat:a" })),
            [Value::Null; 0]
        );
        assert!(matches!(connection.poll(), Output::Wait(None)));
    }
}

#[test]
fn a_library_that_speaks_msgpack_is_told_so_in_msgpack() {
    let server = Server::new();
    let mut connection = server.open(0, &format!("key={KEY}&format=msgpack"));
    let Output::SendBinary(bytes) = connection.poll() else { panic!() };
    assert!(bytes.windows(16).any(|window| window == b"useBinaryProtoco"), "{bytes:?}");
    assert_eq!(actions(&mut connection), ["close"]);
    let mut connection = server.open(0, &format!("key={KEY}&format=json"));
    assert_eq!(actions(&mut connection), ["4"]);
    connection.receive_binary();
    assert_eq!(actions(&mut connection), ["9 40013", "close"]);
}

/// RTN15c7: another id and an error in CONNECTED.
#[test]
fn who_resumes_gets_a_new_connection_and_is_told_so() {
    let server = Server::new();
    for parameter in ["resume", "recover"] {
        let came = frames(&mut server.open(0, &format!("key={KEY}&{parameter}=old!key")));
        assert_eq!(in_short(&came), ["4 80018"]);
        assert_eq!((&came[0]["connectionId"], &came[0]["error"]["statusCode"]), (&json!("me"), &json!(400)));
    }
}

/// RTC8a, RTC8a1: the same connection goes on.
#[test]
fn a_fresh_token_renews_the_connection_in_place() {
    let mut server = Server::new();
    let first = server.token(0, 60_000, &alice());
    let second = server.token(10, 600_000, &alice());
    let mut connection = server.live(20, &first);
    let came = server.authorize(&mut connection, 30, &second);
    assert_eq!(in_short(&came), ["renewed", "4"]);
    assert_eq!(
        (&came[1]["connectionId"], &came[1]["connectionDetails"]["connectionKey"]),
        (&json!("me"), &json!("me!secret"))
    );
    assert_eq!(came[1]["connectionDetails"]["clientId"], "alice");
    // The first one's expiry is past, and means nothing any more.
    assert_eq!(tick(&mut connection, 61_000), ["ping", "0"]);
}

/// RTC8a2: an error fails the connection.
#[test]
fn a_token_that_does_not_fit_the_connection_ends_it() {
    let mut server = Server::new();
    let bob = TokenParams::new().with_client_id(ClientId::new("bob").unwrap());
    let wildcard = TokenParams::new().with_client_id(TokenClientId::Wildcard);
    let alices = server.token(0, 60_000, &alice());
    let bobs = server.token(0, 60_000, &bob);
    let anonymous = server.token(0, 60_000, &TokenParams::new());
    let anybodys = server.token(0, 60_000, &wildcard);
    let foreign = server.token_of(&ApiKey::parse("other.keyid1:OtherOther").unwrap(), 0, 60_000, &alice());
    let expired = server.token(0, 5, &alice());
    for (before, after, expected) in [
        (&alices, &alices, None),
        (&alices, &anybodys, None),
        (&anybodys, &alices, None),
        (&anonymous, &anonymous, None),
        (&alices, &bobs, Some("9 40102")),
        (&alices, &anonymous, Some("9 40102")),
        (&alices, &foreign, Some("9 40102")),
        (&anonymous, &alices, Some("9 40102")),
        (&anybodys, &anonymous, Some("9 40102")),
        (&alices, &expired, Some("9 40142")),
        (&alices, &Secret::from("fake"), Some("9 40101")),
    ] {
        let mut connection = server.live(1, before);
        let came = in_short(&server.authorize(&mut connection, 10, after));
        match expected {
            None => assert_eq!(came, ["renewed", "4"]),
            Some(refused) => assert_eq!(came, [refused, "close"]),
        }
    }
    for auth in [json!(null), json!({}), json!({ "accessToken": null })] {
        let mut connection = server.live(1, &alices);
        let came = server.say(&mut connection, 2, &json!({ "action": 17, "auth": auth }));
        assert_eq!(in_short(&came), ["9 40101", "close"]);
    }
}

#[test]
fn a_connection_of_the_key_can_go_over_to_a_token_and_is_bound_to_its_client() {
    let mut server = Server::new();
    let alices = server.token(0, 60_000, &alice());
    let mut connection = server.open(0, &format!("key={KEY}"));
    assert_eq!(actions(&mut connection), ["4"]);
    assert_eq!(connection.deadline(), None);
    let came = server.authorize(&mut connection, 10, &alices);
    assert_eq!(came[1]["connectionDetails"]["clientId"], "alice");
    assert!(connection.deadline().is_some());
}

#[test]
fn what_is_no_frame_of_the_protocol_ends_the_connection() {
    let mut server = Server::new();
    let token = server.token(0, 60_000, &alice());
    for text in ["", "x", "[]", "{}", r#"{"action":"4"}"#, r#"{"action":15,"messages":5}"#] {
        let mut connection = server.live(1, &token);
        connection.receive(at(2), text, |_| unreachable!());
        assert_eq!(actions(&mut connection), ["9 40000", "close"], "{text}");
    }
    let mut connection = server.live(1, &token);
    assert_eq!(
        server.say(&mut connection, 2, &json!({ "action": 99 })),
        [Value::Null; 0],
        "a later version's"
    );
    assert_eq!(
        server.say(&mut connection, 2, &json!({ "action": 0, "id": "5" })),
        [json!({ "action": 0, "id": "5" })]
    );
    assert_eq!(in_short(&server.say(&mut connection, 3, &json!({ "action": 7 }))), ["8", "close"]);
    let mut connection = server.live(1, &token);
    assert_eq!(in_short(&server.say(&mut connection, 3, &json!({ "action": 5 }))), ["6", "close"]);
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let mut server = Server::new();
    let token = server.token(0, 60_000, &alice());
    let query = format!("/?access_token={}", token.expose());
    let opening = Opening::read(&Request::get(query).body(()).unwrap());
    let shown = format!("{opening:?} {:?}", server.live(1, &token));
    assert!(!shown.contains(token.expose()) && !shown.contains("me!secret"), "{shown}");
}
