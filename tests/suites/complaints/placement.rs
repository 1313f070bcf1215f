//! Complaints about where a token stands: in a query that proxies log, or in a subprotocol that it breaks.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::{Demand, Error, Secret, Token, TokenSource};
use realtime_auth_tests::raw_socket::{request, switching_protocols};
use tokio::io::AsyncWriteExt as _;
use ws_session::ErrorKind;
use ws_session::dialect::{Dialect, SubprotocolEntry, Template};
use ws_session::driver::tokio::{Session, Target};

use super::scene::{CANARY, Scene, Source};

#[test]
fn no_dialect_has_the_credential_in_its_query_but_those_that_say_so() {
    let in_query = |name: &&str| {
        let dialect = Dialect::named(name).unwrap();
        dialect.placement.query.iter().any(|(_, template)| format!("{template:?}").contains("credential"))
            || dialect.placement.is_url
    };
    let found: Vec<_> = Dialect::names().filter(in_query).collect();
    // Two are so named. The others' services look for it there and nowhere else, or hand out a URL that is a ticket.
    let expected = [
        "ably",
        "azure-web-pubsub",
        "bearer-query",
        "genesys-notifications",
        "optave-query",
        "signalr",
        "slack-socket-mode",
    ];
    assert_eq!(found, expected);
}

/// Where the user wants it in the query after all, the server sees it, and nobody else.
#[tokio::test(start_paused = true)]
async fn a_token_in_the_query_is_in_nothing_that_is_printed_told_or_reported() {
    for dialect in [Dialect::bearer_query(), Dialect::optave_query()] {
        let target = Target::new(&format!("ws://127.0.0.1/ws?ticket={CANARY}0")).unwrap();
        let mut printed = format!("{target:?}");
        let builder = Session::builder(target, dialect.clone(), Source::for_ever());
        printed.push_str(&format!("{builder:?}"));
        let mut scene = Scene::open(dialect, Source::for_ever());
        let mut peer = scene.peer().await;
        let sent = peer.upgrade().await;
        assert!(sent.contains(&format!("={CANARY}1")), "the control: the server sees it: {sent}");
        drop(peer);
        for _ in 0..2 {
            scene.peer().await.refuse(401, "").await;
        }
        let error = scene.session.authenticated().await.unwrap_err();
        printed.push_str(&format!("{error} {error:?} {:?}", scene.session));
        printed.push_str(&scene.told().await);
        assert!(printed.contains("401") && !printed.contains(CANARY), "{printed}");
    }
}

/// Hands out one text.
struct Text(&'static str);

#[async_trait]
impl TokenSource for Text {
    async fn token(&self, _demand: Demand) -> Result<Token, Error> {
        Ok(Token::new(Secret::from(self.0)))
    }
}

/// A marker, and the token beside it as it is or in base64url.
fn beside_a_marker(token: &str) -> Dialect {
    let mut dialect = Dialect::new("by-subprotocol");
    dialect.placement.subprotocols = vec![
        SubprotocolEntry::Name("v1.example".to_owned()),
        SubprotocolEntry::Credential(Template::text(token)),
    ];
    dialect
}

/// Padding, blanks and separators are no part of a token of HTTP: servers and browsers break the connection over them.
#[tokio::test(start_paused = true)]
async fn a_token_that_can_not_stand_in_a_subprotocol_is_refused_before_anything_is_sent() {
    for token in ["a==", "a b", "a/b", "a,b", "a:b", "a@b", "a\"b", "ä", "a\r\nb", "v1.example"] {
        let mut scene = Scene::open(beside_a_marker("${credential}"), Arc::new(Text(token)));
        let error = scene.session.authenticated().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{token:?}: {error}");
        assert!(scene.connects_no_more().await, "{token:?} was sent");
    }
    // The control: all that may stand there goes out as it is.
    const LEGAL: &str = "!#$%&'*+-.^_`|~019azAZ";
    let mut scene = Scene::open(beside_a_marker("${credential}"), Arc::new(Text(LEGAL)));
    let sent = scene.peer().await.upgrade().await;
    assert!(sent.contains(&format!("Sec-WebSocket-Protocol: v1.example, {LEGAL}\r\n")), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn in_base64url_without_padding_any_token_can_stand_in_a_subprotocol() {
    for (token, encoded) in [
        ("a==", "YT09"),
        ("a b", "YSBi"),
        // What base64 would write with `/`, `+` and padding.
        ("ab?", "YWI_"),
        ("ab>", "YWI-"),
        ("a", "YQ"),
        ("ä/", "w6Qv"),
    ] {
        let dialect = beside_a_marker("bearer.${credential|base64url}");
        let mut scene = Scene::open(dialect, Arc::new(Text(token)));
        let mut peer = scene.peer().await;
        let sent = peer.upgrade().await;
        let expected = format!("Sec-WebSocket-Protocol: v1.example, bearer.{encoded}\r\n");
        assert!(sent.contains(&expected), "{sent}");
        scene.session.authenticated().await.unwrap();
    }
}

/// A server that selects the token shows it to whoever logs its answers; one that selects nothing has not understood.
#[tokio::test(start_paused = true)]
async fn only_the_marker_may_be_selected_and_never_the_token_beside_it() {
    for (selected, is_in) in [
        (Some("v1.example"), true),
        (Some("canary-1"), false),
        (Some("V1.EXAMPLE"), false),
        (Some("v2.example"), false),
        (None, false),
    ] {
        let source = Source::for_ever();
        let mut scene = Scene::open(beside_a_marker("${credential}"), source.clone());
        let mut peer = scene.peer().await;
        let request = request(&mut peer.0).await.unwrap();
        let header = selected.map(|selected| format!("Sec-WebSocket-Protocol: {selected}\r\n"));
        let answer = switching_protocols(&request, &header.unwrap_or_default()).unwrap();
        peer.0.write_all(answer.as_bytes()).await.unwrap();
        let opened = scene.session.authenticated().await;
        assert_eq!(opened.is_ok(), is_in, "{selected:?}");
        if let Err(error) = opened {
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{selected:?}");
            assert!(scene.connects_no_more().await);
            let told = format!("{error} {error:?} {}", scene.told().await);
            assert!(!told.contains(CANARY), "{told}");
            assert_eq!(source.asked().len(), 1);
        }
    }
}
