//! Servers that say the credential back, as the name of the session: nobody is told.

use super::prelude::*;

stories!(
    a_credential_that_comes_back_as_the_session_s_name_is_not_told,
    nor_is_one_that_comes_back_with_a_renewal,
    a_session_named_like_its_credential_is_taken_up_all_the_same,
);

/// Longer than what is kept of a name.
const TOKEN: &str = "tokenOfTheStory.9f8e7d6c5b4a39281706f5e4d3c2b1a0ffeeddccbbaa99887766554433221100.\
                     0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.theEnd";
const NEXT: &str = "theNextToken.00112233445566778899aabbccddeeff";

fn welcome(session_id: &str) -> &'static str {
    Box::leak(json!({"type": "auth", "status": "ok", "sessionId": session_id}).to_string().into_boxed_str())
}

/// No longer piece of either token is in what was told.
fn assert_silent(log: &Log) {
    let told = format!("{:?}", log.seen().client);
    for token in [TOKEN, NEXT] {
        for piece in token.as_bytes().windows(12) {
            assert!(!told.contains(str::from_utf8(piece).unwrap()), "{told}");
        }
    }
}

fn a_credential_that_comes_back_as_the_session_s_name_is_not_told(open: &Open) {
    let shortened = &TOKEN[20..60];
    for (session_id, told) in [
        (TOKEN.to_owned(), false),
        (format!("session-{TOKEN}"), false),
        (format!("{TOKEN}-session"), false),
        (shortened.to_owned(), false),
        (TOKEN[..8].to_owned(), false),
        ("a name of its own".to_owned(), true),
        // Too short to be any credential's.
        (TOKEN[..7].to_owned(), true),
    ] {
        let log = Log::default();
        let server = Server::play(&log, vec![vec![Accept, Expect, Send(welcome(&session_id)), ExpectClose]]);
        let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &[(TOKEN, LONG)]));
        client.until("it is in", &|seen| seen.client.len() == 2);
        client.close().unwrap();
        let authenticated =
            if told { format!("authenticated 1 as {session_id}") } else { "authenticated 1".to_owned() };
        assert_eq!(log.seen().client, ["connecting 1", &authenticated, "closed"]);
        if session_id.len() > 7 {
            assert_silent(&log);
        }
    }
}

/// Neither the fresh one, nor the old one once more, which nobody has any more.
fn nor_is_one_that_comes_back_with_a_renewal(open: &Open) {
    for first in [TOKEN, "s"] {
        let again = if first == TOKEN { TOKEN } else { NEXT };
        let log = Log::default();
        let part = vec![Accept, Expect, Send(welcome(first)), Expect, Send(welcome(again)), ExpectClose];
        let server = Server::play(&log, vec![part]);
        let given: [Given; 2] = [(TOKEN, LONG), (NEXT, LONG)];
        let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &given));
        client.until("it is in", &|seen| seen.client.len() == 2);
        client.renew();
        client.until("it is renewed", &|seen| seen.client.len() == 3);
        client.close().unwrap();
        let authenticated = if first == TOKEN { "authenticated 1" } else { "authenticated 1 as s" };
        assert_eq!(log.seen().client, ["connecting 1", authenticated, "renewed in band 1", "closed"]);
        assert_silent(&log);
    }
}

/// What is not told is known all the same: the next connection asks for that session.
fn a_session_named_like_its_credential_is_taken_up_all_the_same(open: &Open) {
    let log = Log::default();
    let name = &TOKEN[..40];
    let part = |last: super::server::Act| vec![Accept, Expect, Send(welcome(name)), last];
    let server = Server::play(&log, vec![part(HangUp), part(ExpectClose)]);
    let given: [Given; 2] = [(TOKEN, LONG), (NEXT, LONG)];
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &given));
    client.until("it is in again", &|seen| seen.client.len() == 5);
    client.close().unwrap();
    let seen = log.seen();
    let asked = format!(r#"2: text {{"sessionId":"{name}","token":"{NEXT}","type":"auth"}}"#);
    assert!(seen.server.contains(&asked), "{seen:?}");
    let lost = "lost 1: the connection broke";
    assert_eq!(
        seen.client,
        ["connecting 1", "authenticated 1", lost, "connecting 2", "authenticated 2", "closed"]
    );
    assert_silent(&log);
}
