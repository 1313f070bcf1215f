//! What time brings: the question for a fresh token, expiry, revocation, signs of life.

use super::*;

/// RTN22, and the facts 5.7.
#[test]
fn a_client_is_asked_thirty_seconds_before_its_token_expires_and_let_go_when_it_has() {
    let mut server = Server::new();
    let token = server.token(0, 100_000, &alice());
    let mut connection = server.live(0, &token);
    for millis in [15_000, 30_000, 45_000, 60_000] {
        connection.heard();
        assert_eq!(tick(&mut connection, millis), ["ping", "0"]);
    }
    connection.heard();
    assert_eq!(waits_until(&mut connection), 70_000);
    assert_eq!(tick(&mut connection, 69_999), [""; 0]);
    assert_eq!(tick(&mut connection, 70_000), ["17"]);
    assert_eq!(tick(&mut connection, 70_001), [""; 0], "it is asked once");
    connection.heard();
    assert_eq!(tick(&mut connection, 99_999), ["ping", "0"]);
    assert_eq!(waits_until(&mut connection), 100_000);
    connection.tick(at(100_000));
    let came = frames(&mut connection);
    assert_eq!(in_short(&came), ["6 40142", "close"]);
    assert_eq!(came[0]["error"]["statusCode"], 401);
    assert!(matches!(connection.poll(), Output::Wait(None)));
}

#[test]
fn a_short_token_is_asked_about_halfway_and_a_very_short_one_never() {
    let mut server = Server::new();
    for (ttl, asked) in [
        (3_600_000, Some(3_570_000)),
        (60_000, Some(30_000)),
        (20_000, Some(10_000)),
        (5_600, Some(2_800)),
        (5_500, None),
    ] {
        let token = server.token(0, ttl, &alice());
        let mut connection = server.live(0, &token);
        for millis in (0..asked.unwrap_or(ttl)).step_by(5_000) {
            connection.heard();
            assert!(!tick(&mut connection, millis).contains(&"17".to_owned()), "{ttl} at {millis}");
        }
        match asked {
            Some(millis) => assert!(tick(&mut connection, millis).contains(&"17".to_owned()), "{ttl}"),
            None => assert_eq!(tick(&mut connection, ttl), ["6 40142", "close"]),
        }
    }
}

#[test]
fn a_frame_that_comes_too_late_is_not_taken() {
    let mut server = Server::new();
    let token = server.token(0, 10_000, &alice());
    let fresh = server.token(1, 100_000, &alice());
    let mut connection = server.live(0, &token);
    assert_eq!(in_short(&server.authorize(&mut connection, 10_000, &fresh)), ["6 40142", "close"]);
    let mut connection = server.live(0, &token);
    assert_eq!(
        in_short(&server.authorize(&mut connection, 9_999, &fresh)),
        ["17", "renewed", "4"],
        "the control"
    );
}

#[test]
fn a_clock_that_slept_through_the_expiry_ends_the_connection() {
    let mut server = Server::new();
    let token = server.token(0, 10_000, &alice());
    let mut connection = server.live(0, &token);
    connection.tick(auth_core::time::Now { wall: at(10_000).wall, mono: at(1).mono });
    assert_eq!(actions(&mut connection), ["6 40142", "close"]);
}

#[test]
fn a_revocation_ends_the_connections_that_it_concerns() {
    let mut server = Server::new();
    let bob = TokenParams::new().with_client_id(ClientId::new("bob").unwrap());
    let (alices, bobs) = (server.token(0, 60_000, &alice()), server.token(0, 60_000, &bob));
    let (mut hers, mut his) = (server.live(1, &alices), server.live(1, &bobs));
    let mut keys = server.open(1, &format!("key={KEY}"));
    assert_eq!(actions(&mut keys), ["4"]);
    server.revoke(10, "alice", false);
    let came = server.recheck(&mut hers, 10);
    assert_eq!(in_short(&came), ["6 40141", "close"]);
    assert_eq!(came[0]["error"]["statusCode"], 401);
    assert_eq!(server.recheck(&mut his, 10), [Value::Null; 0]);
    assert_eq!(server.recheck(&mut keys, 10), [Value::Null; 0]);
    // A token that is issued afterwards is good.
    let fresh = server.token(20, 60_000, &alice());
    let mut hers = server.live(20, &fresh);
    assert_eq!(server.recheck(&mut hers, 21), [Value::Null; 0]);
    hers.revoked();
    assert_eq!(actions(&mut hers), ["6 40141", "close"], "the owner of the gateway may say so, too");
}

#[test]
fn a_revocation_with_a_margin_asks_first_and_spares_who_answers() {
    let mut server = Server::new();
    let token = server.token(0, 600_000, &alice());
    let (mut slow, mut quick) = (server.live(1, &token), server.live(1, &token));
    server.revoke(1_000, "alice", true);
    assert_eq!(in_short(&server.recheck(&mut slow, 1_000)), ["17"]);
    assert_eq!(in_short(&server.recheck(&mut quick, 1_000)), ["17"]);
    assert_eq!(server.recheck(&mut slow, 1_500), [Value::Null; 0], "it is asked once");
    let fresh = server.token(2_000, 600_000, &alice());
    assert_eq!(in_short(&server.authorize(&mut quick, 2_000, &fresh)), ["renewed", "4"]);
    assert_eq!(server.recheck(&mut quick, 2_001), [Value::Null; 0]);
    // Who comes with the token that is about to go is asked at once.
    let mut late = server.open(3_000, &format!("access_token={}", token.expose()));
    late.tick(at(3_000));
    assert_eq!(actions(&mut late), ["4", "17"]);
    for connection in [&mut slow, &mut quick, &mut late] {
        connection.heard();
    }
    assert_eq!(tick(&mut slow, 30_999), ["ping", "0"]);
    for connection in [&mut slow, &mut late] {
        assert!(tick(connection, 31_000).ends_with(&["6 40141".to_owned(), "close".to_owned()]));
    }
    assert_eq!(tick(&mut quick, 31_000), ["ping", "0"]);
}

/// RTN23: no silence is longer than announced, and pings are enough for who says so.
#[test]
fn a_sign_of_life_is_given_and_expected() {
    let server = Server::new();
    for (query, sign) in
        [("", &["ping", "0"][..]), ("&heartbeats=true", &["ping", "0"]), ("&heartbeats=false", &["ping"])]
    {
        let mut connection = server.open(0, &format!("key={KEY}{query}"));
        assert_eq!(actions(&mut connection), ["4"]);
        assert_eq!(tick(&mut connection, 14_999), [""; 0]);
        for millis in [15_000, 30_000] {
            assert_eq!(waits_until(&mut connection), millis);
            assert_eq!(tick(&mut connection, millis), sign, "{query}");
        }
        let mut answering = server.open(0, &format!("key={KEY}{query}"));
        assert_eq!(actions(&mut answering), ["4"]);
        for millis in [15_000, 30_000, 45_000] {
            assert_eq!(tick(&mut answering, millis), sign);
            answering.heard();
        }
        assert_eq!(tick(&mut connection, 45_000), ["6 80003", "close"], "two pings went unanswered");
    }
}
